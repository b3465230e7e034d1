"""The baseline of scan_to_welcome: decrypt with wechatpy, greet inside the request, store nothing."""

import os
import xml.etree.ElementTree as ET

import httpx
from flask import Flask, request
from waitress import serve
from wechatpy.enterprise.crypto import WeChatCrypto

app = Flask(__name__)
crypto = WeChatCrypto(os.environ["PLAIN_TOKEN"], os.environ["PLAIN_KEY"], os.environ["PLAIN_CORP"])
client = httpx.Client(base_url=f"{os.environ['PLAIN_API']}/cgi-bin", timeout=10)
token = client.get(
    "/gettoken", params={"corpid": os.environ["PLAIN_CORP"], "corpsecret": os.environ["PLAIN_SECRET"]}
).json()["access_token"]


@app.post("/callback")
def take() -> str:
    query = request.args
    text = crypto.decrypt_message(request.get_data(), query["msg_signature"], query["timestamp"], query["nonce"])
    code = ET.fromstring(text).findtext("WelcomeCode")
    if code:
        body = {"welcome_code": code, "text": {"content": "您好，欢迎！"}}
        client.post("/externalcontact/send_welcome_msg", params={"access_token": token}, json=body)
    return ""


if __name__ == "__main__":
    serve(app, host="127.0.0.1", port=int(os.environ["PLAIN_PORT"]), threads=16)
