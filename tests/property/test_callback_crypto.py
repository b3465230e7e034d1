"""Callback crypto: sealing and opening are inverse; any change is refused; no exception but CallbackRejected."""

from hypothesis import given
from hypothesis import strategies as st

from bot.inbox import event_of, find_content
from bot.wecom.crypto import CallbackCrypto
from bot.wecom.envelope import read_encrypt
from crm_core.errors import CallbackRejected

CRYPTO = CallbackCrypto("QDG6eK2aPpTk9", "kT3vYx9QpLmN2sRwZ7bHc4JdFg6UeA1iOoB5qCnVtXE", ["ww9f8e7d6c5b4a3210", ""])
TEXT = st.text(max_size=40)
MARKS = st.sampled_from([b"<![CDATA[", b"]]>", b"<MsgId>", b"</MsgId>", b"<WelcomeCode>", b"7", b"x", b"<", b"\xff"])


@given(st.binary(max_size=2000), st.sampled_from(CRYPTO.receive_ids), TEXT.filter(str.isascii), st.integers(0, 10**12))
def test_opening_undoes_sealing_in_both_forms(plaintext: bytes, whose: str, nonce: str, moment: int) -> None:
    sealed = CRYPTO.seal(plaintext, str(moment), nonce, whose)
    encrypted = read_encrypt(sealed.json())
    assert encrypted == sealed.encrypt.encode()
    assert CRYPTO.open(sealed.signature, str(moment), nonce, encrypted) == plaintext


@given(st.binary(max_size=200), st.sampled_from(["signature", "timestamp", "nonce", "encrypt"]), st.data())
def test_any_change_is_refused(plaintext: bytes, part: str, data: st.DataObject) -> None:
    sealed = CRYPTO.seal(plaintext, "1735700000", "nonce")
    parts = {"signature": sealed.signature, "timestamp": "1735700000", "nonce": "nonce", "encrypt": sealed.encrypt}
    place = data.draw(st.integers(0, len(parts[part]) - 1))
    letter = data.draw(st.characters().filter(lambda one: one != parts[part][place]))
    parts[part] = parts[part][:place] + letter + parts[part][place + 1 :]
    try:
        CRYPTO.open(parts["signature"], parts["timestamp"], parts["nonce"], parts["encrypt"])
    except CallbackRejected as error:
        assert error.reason == "signature"  # noqa: PT017  # nothing else may come out
    else:
        raise AssertionError(parts)


@given(st.binary(max_size=300), TEXT, TEXT)
def test_signed_nonsense_is_only_ever_rejected(padded: bytes, timestamp: str, nonce: str) -> None:
    encrypted = padded.hex()
    try:
        CRYPTO.open(CRYPTO.signature("1", "n", encrypted), "1", "n", encrypted)
        CRYPTO.open("0" * 40, timestamp, nonce, padded)
    except CallbackRejected:
        return
    raise AssertionError(padded)


@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda one: f"<xml><Encrypt>{one}</Encrypt></xml>".encode()))
def test_reading_any_bytes_gives_base64_letters_or_a_rejection(body: bytes) -> None:
    try:
        assert read_encrypt(body).isascii()
    except CallbackRejected as error:
        assert error.reason == "envelope"  # noqa: PT017  # nothing else may come out


@given(st.lists(MARKS, max_size=30).map(b"".join))
def test_every_plaintext_has_an_event_and_cdata_hides_tags(plaintext: bytes) -> None:
    event = event_of("ww1", "sales", plaintext)
    assert event.body == plaintext
    assert event == event_of("ww1", "sales", plaintext)
    assert event_of("ww1", "sales", plaintext + b"y").dedupe_key != event.dedupe_key or "|m7" in event.dedupe_key
    at = find_content(plaintext, b"<MsgId>")
    if at >= 0:
        before = plaintext[: at - len(b"<MsgId>")]
        assert b"<![CDATA[" not in before.rpartition(b"]]>")[2]
