"""Callback crypto against the stored vectors, the protocol notes and wechatpy."""

import base64
import json
from pathlib import Path

import pytest
from wechatpy.enterprise.crypto import WeChatCrypto

from bot.wecom.crypto import CallbackCrypto
from crm_core.errors import CallbackRejected

VECTORS = json.loads((Path(__file__).parents[2] / "fixtures/callbacks/crypto-vectors.json").read_text("utf-8"))
VALID = {vector["name"]: vector for vector in VECTORS["valid"]}
BAD_KEYS = [vector for vector in VECTORS["invalid"] if "encoding_aes_key" in vector]
BAD_CALLS = [vector for vector in VECTORS["invalid"] if "base" in vector]

CORP = "ww9f8e7d6c5b4a3210"
TOKEN = "QDG6eK2aPpTk9"
KEY = "kT3vYx9QpLmN2sRwZ7bHc4JdFg6UeA1iOoB5qCnVtXE"
NOTES = [  # reference §1.8: plaintext, receive id, ciphertext, signature
    (
        "1616140317555161061",
        CORP,
        "yuCvSv45cxjalVHv+ZzNnRYkZTJx7qsLnmhKlPTvFGANbAiIxxvPbkkKeN7zmpjQFs9CafIEbu3KixmdqtketA==",
        "dc1eae01e8dad5ed534dd9e2e9f21d3d62511708",
    ),
    (
        f"<xml><ToUserName><![CDATA[{CORP}]]></ToUserName><Content><![CDATA[你好]]></Content></xml>",
        CORP,
        (
            "yuCvSv45cxjalVHv+ZzNnVEk2ibxGlMNO3cSdYLYfWDUGgy16kx+KNtNp+JpuYE2RbW+kzgRoarf0LML1uq+qgG0jbdy/lnDdIK2ylDj/rHl"
            "fPnmKoCJDv+8ZZB2HdPhHfDnYh4s3b4YfiCq1Y1uukl80ylB+wto3MAbSBwwHUmFmDIispfpklrsDIb/PC6DX3pGkPJGp7Ti0DjXQWQCng=="
        ),
        "ed9658b2c86e521df4bee503a25cc5a7c60e0edd",
    ),
    (
        '{"msgtype":"text","text":{"content":"hi"}}',
        "",
        "yuCvSv45cxjalVHv+ZzNnUyGQXguEoMDFXJ/QO5LjNkkc0hwAwJ/80y9gEAt4z7kuS0G87YtbfCTw+npSsya8Q==",
        "2d4a2f7853aa5ecce26894a37a381b38794f061e",
    ),
]


def crypto_of(vector: dict[str, str]) -> CallbackCrypto:
    return CallbackCrypto(vector["token"], vector["encoding_aes_key"], [vector["receive_id"]])


@pytest.mark.parametrize("name", VALID)
def test_valid_vectors_open(name: str) -> None:
    vector = VALID[name]
    plaintext = crypto_of(vector).open(vector["msg_signature"], vector["timestamp"], vector["nonce"], vector["encrypt"])
    assert plaintext.decode() == vector["plaintext"]


@pytest.mark.parametrize("vector", BAD_CALLS, ids=lambda vector: vector["name"])
def test_damaged_vectors_are_refused(vector: dict[str, object]) -> None:
    broken = VALID[str(vector["base"])] | vector["change"]
    with pytest.raises(CallbackRejected) as caught:
        crypto_of(broken).open(broken["msg_signature"], broken["timestamp"], broken["nonce"], broken["encrypt"])
    assert caught.value.reason == "signature"


@pytest.mark.parametrize("vector", BAD_KEYS, ids=lambda vector: vector["name"])
def test_bad_keys_are_refused(vector: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="43"):
        CallbackCrypto(TOKEN, vector["encoding_aes_key"], [CORP])


@pytest.mark.parametrize("ids", [[], "ww1"])
def test_receive_ids_must_be_a_filled_collection(ids: object) -> None:
    with pytest.raises(ValueError, match="receive_ids"):
        CallbackCrypto(TOKEN, KEY, ids)


@pytest.mark.parametrize(("plaintext", "receive_id", "encrypted", "signature"), NOTES)
def test_vectors_of_the_protocol_notes(plaintext: str, receive_id: str, encrypted: str, signature: str) -> None:
    crypto = CallbackCrypto(TOKEN, KEY, [receive_id])
    assert crypto.signature("1735700000", "1372623149", encrypted) == signature
    assert crypto.open(signature, "1735700000", "1372623149", encrypted).decode() == plaintext


def test_wechatpy_opens_what_we_seal_and_we_open_what_it_seals() -> None:
    ours, theirs = CallbackCrypto(TOKEN, KEY, [CORP]), WeChatCrypto(TOKEN, KEY, CORP)
    sealed = ours.seal("你好 & <b>".encode(), "1735700000", "n1")
    assert theirs.decrypt_message(sealed.xml().decode(), sealed.signature, "1735700000", "n1") == "你好 & <b>"
    assert json.loads(sealed.json())["msgsignature"] == sealed.signature
    theirs_prp = theirs.encrypt_message("回复", "n2", "1735700001")
    encrypted = theirs_prp.split("CDATA[", 1)[1].split("]", 1)[0]
    assert ours.open(ours.signature("1735700001", "n2", encrypted), "1735700001", "n2", encrypted).decode() == "回复"


def test_any_of_several_receive_ids_is_accepted_and_no_other() -> None:
    crypto = CallbackCrypto(TOKEN, KEY, [CORP, "wwprovider"])
    for whose in (CORP, "wwprovider", None):
        sealed = crypto.seal(b"x", "1", "n", whose)
        assert crypto.open(sealed.signature, "1", "n", sealed.encrypt) == b"x"
    foreign = crypto.seal(b"x", "1", "n", "wwother")
    assert reason_of(crypto, foreign.signature, foreign.encrypt) == "receive_id"


def reason_of(crypto: CallbackCrypto, signature: str, encrypted: str) -> str:
    with pytest.raises(CallbackRejected) as caught:
        crypto.open(signature, "1", "n", encrypted)
    return caught.value.reason


def sealed_raw(crypto: CallbackCrypto, padded: bytes) -> str:
    return base64.b64encode(crypto._cipher.encrypt(padded)).decode()


@pytest.mark.parametrize(
    ("padded", "reason"),
    [
        (b"\0" * 32, "padding"),
        (b"r" * 31 + b"\x21", "padding"),
        (b"r" * 30 + b"\x01\x02", "padding"),
        (b"\x20" * 32, "length"),
        (b"r" * 16 + b"\xff\xff\xff\xff" + b"m" * 11 + b"\x01", "length"),
        (b"r" * 16 + b"\0\0\0\x0c" + b"m" * 11 + b"\x01", "length"),
        (b"r" * 16 + b"\0\0\0\x0b" + b"m" * 11 + b"\x01", "receive_id"),
        (b"r" * 16, "length"),
        (b"", "length"),
    ],
)
def test_signed_nonsense_is_refused_with_its_reason(padded: bytes, reason: str) -> None:
    crypto = CallbackCrypto(TOKEN, KEY, [CORP])
    encrypted = sealed_raw(crypto, padded)
    assert reason_of(crypto, crypto.signature("1", "n", encrypted), encrypted) == reason


@pytest.mark.parametrize("encrypted", ["a", "ab=c", "!!!!", "YWJj\n", " YWJj", "=="])
def test_signed_bad_base64_is_refused(encrypted: str) -> None:
    crypto = CallbackCrypto(TOKEN, KEY, [CORP])
    assert reason_of(crypto, crypto.signature("1", "n", encrypted), encrypted) == "base64"


@pytest.mark.parametrize(
    ("signature", "encrypted"), [("é" * 40, "YWJj"), ("a" * 40, "密文"), ("\ud800", "\ud800"), ("", "")]
)
def test_text_outside_ascii_is_refused(signature: str, encrypted: str) -> None:
    assert reason_of(CallbackCrypto(TOKEN, KEY, [CORP]), signature, encrypted) == "signature"
