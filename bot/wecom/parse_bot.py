"""AI bot callbacks (智能机器人): JSON, no ToUserName, own names (protocol notes 9.1). Pure.

Source: protocol notes 9.1.
"""

from collections.abc import Mapping

from bot.wecom.element import Element
from bot.wecom.stamp import Maker, Stamp
from crm_core.errors import CallbackUnsupported
from crm_core.events import AppEntered, AppMessageReceived, CardClicked, Event
from crm_core.ids import StaffUserId

NOT_MESSAGE_FIELDS = frozenset({"msgid", "msgtype", "aibotid", "from", "create_time"})


def _message(kind: str) -> Maker:
    def make(stamp: Stamp, body: Element) -> AppMessageReceived:
        return AppMessageReceived(
            **stamp,
            staff=_sender(body),
            agent_id=body.text("aibotid"),
            kind=kind,
            message_id=body.need("msgid"),
            text=body.child(kind).raw("content"),
            fields=body.plain(NOT_MESSAGE_FIELDS),
        )

    return make


def _entered(stamp: Stamp, body: Element) -> AppEntered:
    return AppEntered(**stamp, staff=_sender(body), agent_id=body.text("aibotid"))


def _card_clicked(stamp: Stamp, body: Element) -> CardClicked:
    card = body.child("event").child("template_card_event")
    return CardClicked(
        **stamp,
        staff=_sender(body),
        agent_id=body.text("aibotid"),
        event_key=card.text("event_key"),
        task_id=card.need("task_id"),
        card_type=card.text("card_type"),
        selected={
            item.need("question_key"): item.child("option_ids").texts("option_id") or item.texts("option_ids")
            for item in card.child("selected_items").each("selected_item") or card.each("selected_items")
        },
    )


BOT_MAKERS: Mapping[tuple[str, str], Maker] = {
    ("text", ""): _message("text"),
    ("image", ""): _message("image"),
    ("mixed", ""): _message("mixed"),
    ("voice", ""): _message("voice"),
    ("file", ""): _message("file"),
    ("video", ""): _message("video"),
    ("event", "enter_chat"): _entered,
    ("event", "template_card_event"): _card_clicked,
}


def bot_event(stamp: Stamp, body: Element) -> Event:
    """The event of an AI bot callback.

    Raises: CallbackUnsupported for stream polls, feedback and kinds not known, CallbackAnomalous.
    """
    kind = (body.need("msgtype").lower(), body.child("event").text("eventtype").lower())
    maker = BOT_MAKERS.get(kind)
    if maker is None:
        raise CallbackUnsupported(f"不使用的智能机器人回调：{kind[0]}/{kind[1]}"[:200])
    return maker(stamp, body)


def _sender(body: Element) -> StaffUserId:
    return StaffUserId(body.child("from").need("userid"))
