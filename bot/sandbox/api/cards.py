"""Reading the body of an app message: one reader per msgtype, with the vendor's limits. Source:
WeCom doc 90236.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.sandbox.api.call import Call
from bot.sandbox.api.media import need_media
from bot.sandbox.fields import Fields
from bot.sandbox.refusal import Refusal, wrong_field

NOTICES = frozenset({"text_notice", "news_notice"})
INTERACTIVE = frozenset({"button_interaction", "vote_interaction", "multiple_interaction"})
_TEXT_BYTES = 2048
_TASK_LETTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-@")
Body = dict[str, Any]


def _text(_call: Call, one: Fields) -> Body:
    content = one.text("content")
    if not content:
        raise Refusal(44004)
    cut = content.encode()[:_TEXT_BYTES].decode("utf-8", "ignore")
    return {"content": cut}


def _markdown(_call: Call, one: Fields) -> Body:
    content = one.text("content", size=_TEXT_BYTES, code=45002)
    if not content:
        raise Refusal(44004)
    return {"content": content}


def _textcard(_call: Call, one: Fields) -> Body:
    url = one.need_text("url", size=2048)
    if not url.startswith(("http://", "https://")):
        raise wrong_field("url")
    return {
        "title": one.need_text("title", size=128),
        "description": one.need_text("description", size=512),
        "url": url,
        "btntxt": one.text("btntxt", "详情", chars=4),
    }


def _news(_call: Call, one: Fields) -> Body:
    articles = one.children("articles", most=8)
    if not articles:
        raise wrong_field("articles")
    return {
        "articles": [
            {
                "title": a.need_text("title", size=128),
                "description": a.text("description", size=512),
                "url": a.text("url", size=2048),
                "picurl": a.text("picurl", size=2048),
                "appid": a.text("appid"),
                "pagepath": a.text("pagepath"),
            }
            for a in articles
        ]
    }


def _miniprogram_notice(_call: Call, one: Fields) -> Body:
    title = one.need_text("title", chars=12)
    if len(title) < 4:
        raise wrong_field("title")
    items = one.children("content_item", most=10)
    return {
        "appid": one.need_text("appid"),
        "page": one.text("page"),
        "title": title,
        "description": one.text("description", chars=12),
        "emphasis_first_item": one.flag("emphasis_first_item"),
        "content_item": [{"key": i.need_text("key", chars=10), "value": i.need_text("value", chars=30)} for i in items],
    }


def _stored(kind: str) -> Callable[[Call, Fields], Body]:
    def read(call: Call, one: Fields) -> Body:
        media = need_media(call, one.text("media_id"), kind)
        return {"media_id": media.media_id, "filename": media.filename}

    return read


def read_card(_call: Call, card: Fields) -> Body:
    """A template card (模板卡片); Refusal 40058 naming the field that breaks a rule."""
    kind = card.text("card_type")
    if kind not in NOTICES | INTERACTIVE:
        raise wrong_field("card_type")
    task_id = card.text("task_id", size=128)
    if not set(task_id) <= _TASK_LETTERS or (not task_id and (kind in INTERACTIVE or card.has("action_menu"))):
        raise wrong_field("task_id")
    title = card.child("main_title")
    if kind in INTERACTIVE and not (title and title.text("title")):
        raise wrong_field("main_title.title")
    if kind in NOTICES:
        action = card.need_child("card_action")
        if action.whole("type") not in {1, 2} or (action.whole("type") == 1 and not action.text("url")):
            raise wrong_field("card_action")
    menu = card.child("action_menu")
    if menu and not 1 <= len(menu.children("action_list", most=3)) <= 3:
        raise wrong_field("action_menu.action_list")
    card.children("horizontal_content_list", most=6)
    card.children("jump_list", most=3)
    card.children("vertical_content_list", most=4)
    if kind in _CHOICES:
        _CHOICES[kind](card)
    return dict(card.values)


def _buttons(card: Fields) -> None:
    buttons = card.children("button_list", most=6)
    if not buttons:
        raise wrong_field("button_list")
    for button in buttons:
        button.need_text("text")
        if button.whole("type") == 1:
            button.need_text("url")
        else:
            button.need_text("key", size=1024)


def _vote(card: Fields) -> None:
    box = card.need_child("checkbox")
    box.need_text("question_key", size=1024)
    if not box.children("option_list", most=20):
        raise wrong_field("checkbox.option_list")
    card.need_child("submit_button").need_text("key", size=1024)


def _selects(card: Fields) -> None:
    lists = card.children("select_list", most=3)
    if not lists:
        raise wrong_field("select_list")
    for one in lists:
        one.need_text("question_key", size=1024)
        if not one.children("option_list", most=10):
            raise wrong_field("select_list.option_list")
    card.need_child("submit_button").need_text("key", size=1024)


_CHOICES: dict[str, Callable[[Fields], None]] = {
    "button_interaction": _buttons,
    "vote_interaction": _vote,
    "multiple_interaction": _selects,
}

READERS: dict[str, Callable[[Call, Fields], Body]] = {
    "text": _text,
    "markdown": _markdown,
    "textcard": _textcard,
    "news": _news,
    "miniprogram_notice": _miniprogram_notice,
    "template_card": read_card,
    "image": _stored("image"),
    "file": _stored("file"),
}
