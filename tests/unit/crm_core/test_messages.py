"""Message contents: every limit at one below, at and one above."""

from typing import Any

import pytest

from crm_core.errors import InputInvalid
from crm_core.messages import dump_message, parse_message, with_nickname

BODIES: dict[str, dict[str, str]] = {
    "image": {"pic_url": "https://p/1.png"},
    "link": {"title": "t", "url": "https://u"},
    "miniprogram": {"title": "t", "appid": "wx1", "page": "p", "pic_media_id": "m"},
    "video": {"media_id": "m"},
    "file": {"media_id": "m"},
}
LIMITS = [
    ("image", "pic_url", 2048), ("link", "title", 128), ("link", "url", 2048), ("link", "desc", 512),
    ("link", "picurl", 2048), ("miniprogram", "title", 64), ("miniprogram", "appid", 64), ("miniprogram", "page", 1024),
]  # fmt: skip


def attachment(msgtype: str, **body: Any) -> dict[str, Any]:
    return {"msgtype": msgtype, msgtype: {**BODIES[msgtype], **body}}


def fault(raw: Any) -> InputInvalid:
    with pytest.raises(InputInvalid) as caught:
        parse_message(raw, field="steps.0.message")
    assert caught.value.field == "steps.0.message"
    return caught.value


@pytest.mark.parametrize("raw", [None, {}, {"text": ""}, {"text": None, "attachments": None}, {"attachments": []}])
def test_nothing_to_say_is_no_message(raw: Any) -> None:
    assert parse_message(raw) is None


@pytest.mark.parametrize("letters", ["a", "汉"])
def test_text_up_to_4000_bytes(letters: str) -> None:
    size = len(letters.encode())
    for count in (4000 // size - 1, 4000 // size):
        message = parse_message({"text": letters * count})
        assert message is not None
        assert message.text == letters * count
    assert "4000" in fault({"text": letters * (4000 // size + 1)}).message


def test_up_to_nine_attachments() -> None:
    for count in (8, 9):
        message = parse_message({"attachments": [attachment("video")] * count})
        assert message is not None
        assert len(message.attachments) == count
    assert "9" in fault({"attachments": [attachment("video")] * 10}).message


@pytest.mark.parametrize(("msgtype", "name", "limit"), LIMITS)
@pytest.mark.parametrize("letter", ["a", "汉"])
def test_fields_up_to_their_limit_in_bytes(msgtype: str, name: str, limit: int, letter: str) -> None:
    for size in (limit - 1, limit):
        text = letter * (size // len(letter.encode()))
        message = parse_message({"attachments": [attachment(msgtype, **{name: text})]})
        assert message is not None
        assert message.attachments[0].body[name] == text
    too_long = letter * (limit // len(letter.encode()) + 1)
    assert name in fault({"attachments": [attachment(msgtype, **{name: too_long})]}).message


@pytest.mark.parametrize(("msgtype", "name"), [(msgtype, name) for msgtype, body in BODIES.items() for name in body])
@pytest.mark.parametrize("empty", ["", None])
def test_every_required_field_is_missed(msgtype: str, name: str, empty: Any) -> None:
    assert name in fault({"attachments": [attachment(msgtype, **{name: empty})]}).message


def test_an_image_needs_one_of_two() -> None:
    message = parse_message({"attachments": [{"msgtype": "image", "image": {"media_id": "m"}}]})
    assert message is not None
    assert message.attachments[0].body == {"media_id": "m"}


@pytest.mark.parametrize(
    "raw",
    [
        {"attachments": "image"},
        {"attachments": {"msgtype": "image"}},
        {"attachments": [None]},
        {"attachments": ["image"]},
        {"attachments": [{}]},
        {"attachments": [{"msgtype": "voice", "voice": {"media_id": "m"}}]},
        {"attachments": [{"msgtype": ["image"]}]},
        {"attachments": [{"msgtype": "image"}]},
        {"attachments": [{"msgtype": "image", "image": "m"}]},
        "您好",
        ["您好"],
        {"text": "半个表情 \ud83d"},
        {"attachments": [{"msgtype": "link", "link": {"title": "\ud83d", "url": "https://u"}}]},
    ],
)
def test_odd_shapes_are_refused_with_the_field(raw: Any) -> None:
    fault(raw)


def test_unknown_fields_are_left_out_and_values_become_text() -> None:
    message = parse_message({"attachments": [attachment("link", desc=7, evil="<script>")]})
    assert message is not None
    assert message.attachments[0].body == {"title": "t", "url": "https://u", "desc": "7"}


def test_what_is_dumped_parses_to_the_same() -> None:
    raw = {"text": "您好 {昵称}", "attachments": [attachment(kind) for kind in BODIES]}
    message = parse_message(raw)
    assert message is not None
    assert parse_message(dump_message(message)) == message
    assert dump_message(message) == raw


def test_the_nickname_is_filled_in_and_politeness_stands_in_for_an_unknown_one() -> None:
    assert with_nickname("{昵称}，您好，{昵称}", "小王") == "小王，您好，小王"
    assert with_nickname("{昵称}好", "") == "您好"
