"""The sandbox's cryptography against the vendor's description and published vectors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox import crypto

TOKEN, KEY = "QDG6eK2aPpTk9", "kT3vYx9QpLmN2sRwZ7bHc4JdFg6UeA1iOoB5qCnVtXE"
STAMP, NONCE, PREFIX, CORP = "1735700000", "1372623149", b"0123456789abcdef", "ww9f8e7d6c5b4a3210"
XML = f"<xml><ToUserName><![CDATA[{CORP}]]></ToUserName><Content><![CDATA[你好]]></Content></xml>"
VECTORS = [
    (
        "1616140317555161061",
        CORP,
        "yuCvSv45cxjalVHv+ZzNnRYkZTJx7qsLnmhKlPTvFGANbAiIxxvPbkkKeN7zmpjQFs9CafIEbu3KixmdqtketA==",
        "dc1eae01e8dad5ed534dd9e2e9f21d3d62511708",
    ),
    (
        XML,
        CORP,
        (
            "yuCvSv45cxjalVHv+ZzNnVEk2ibxGlMNO3cSdYLYfWDUGgy16kx+KNtNp+JpuYE2RbW+kzgRoarf0LML1uq+qgG0jbdy"
            "/lnDdIK2ylDj/rHlfPnmKoCJDv+8ZZB2HdPhHfDnYh4s3b4YfiCq1Y1uukl80ylB+wto3MAbSBwwHUmFmDIispfpklrsDIb/"
            "PC6DX3pGkPJGp7Ti0DjXQWQCng=="
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


@pytest.mark.parametrize(("message", "receiver", "encrypted", "signature"), VECTORS)
def test_published_vectors(message, receiver, encrypted, signature):
    assert crypto.encrypt(KEY, message, receiver, prefix=PREFIX) == encrypted
    assert crypto.signature(TOKEN, STAMP, NONCE, encrypted) == signature
    assert crypto.decrypt(KEY, encrypted, receiver) == message


def test_the_prefix_is_fresh_each_time():
    assert crypto.encrypt(KEY, "x", CORP) != crypto.encrypt(KEY, "x", CORP)


@given(st.text(st.characters(codec="utf-8"), max_size=300), st.text("abc0123", max_size=40))
def test_what_was_encrypted_comes_back(message, receiver):
    assert crypto.decrypt(KEY, crypto.encrypt(KEY, message, receiver), receiver) == message


@pytest.mark.parametrize("broken", ["", "!!!", "AAAA", VECTORS[0][2][:-8] + "AAAAAA==", VECTORS[0][2][4:]])
def test_garbage_is_one_kind_of_fault(broken):
    with pytest.raises(crypto.CipherTextWrong):
        crypto.decrypt(KEY, broken, CORP)


def test_another_receiver_id_is_refused():
    with pytest.raises(crypto.CipherTextWrong):
        crypto.decrypt(KEY, VECTORS[0][2], "ww0000000000000000")


def test_js_signature_vector():
    ticket = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
    signed = crypto.js_signature(ticket, "Wm3WZYTPz0wzccnW", "1414587457", "http://mp.weixin.qq.com?params=value")
    assert signed == "0f9de62fce790f9a083d5c99e95740ceb90c27ed"


def test_a_made_key_is_a_key():
    assert len(crypto.key_bytes(crypto.new_aes_key())) == 32
