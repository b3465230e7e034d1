"""What the archive's secret may ask beside the library (会话内容存档). Source: WeCom docs 91614, 91782, 92951."""

from __future__ import annotations

from bot.sandbox.api.call import Answer, Call, Endpoint
from bot.sandbox.archive_book import ArchiveBook
from bot.sandbox.refusal import Refusal

_PAIRS = 100


def _book(call: Call) -> ArchiveBook:
    if call.corp.archive is None:
        raise Refusal(301053)
    return call.corp.archive


def permit_users(call: Call) -> Answer:
    """msgaudit/get_permit_user_list: whose chats are recorded; here everybody's who serves customers."""
    _book(call)
    return {"ids": [member.userid for member in call.corp.staff.values() if member.serves_customers]}


def single_agree(call: Call) -> Answer:
    """msgaudit/check_single_agree: at most 100 pairs; the key is spelled exteranalopenid. 301060, 301061."""
    book = _book(call)
    pairs = call.body.children("info")
    if len(pairs) > _PAIRS:
        raise Refusal(301060)
    found = []
    for pair in pairs:
        userid, external = pair.text("userid"), pair.text("exteranalopenid")
        if call.corp.member(userid) is None or external not in call.corp.person_of:
            raise Refusal(301061)
        given = book.consents.get((userid, external))
        found.append(
            {
                "status_change_time": given.changed if given else 0,
                "userid": userid,
                "exteranalopenid": external,
                "agree_status": given.status if given else "Default_Agree",
            }
        )
    return {"agreeinfo": found}


def room_agree(call: Call) -> Answer:
    """msgaudit/check_room_agree: the customers of a group. 301059."""
    book = _book(call)
    group = call.corp.groups.get(call.body.need_text("roomid"))
    if group is None:
        raise Refusal(301059)
    given = {external: consent for (_, external), consent in book.consents.items()}
    return {
        "agreeinfo": [
            {
                "status_change_time": given[one.id].changed if one.id in given else 0,
                "exteranalopenid": one.id,
                "agree_status": given[one.id].status if one.id in given else "Default_Agree",
            }
            for one in group.members.values()
            if one.kind == 2
        ]
    }


def group_chat(call: Call) -> Answer:
    """msgaudit/groupchat/get: internal groups only, of which there is none here. 301059."""
    _book(call)
    raise Refusal(301059)


ENDPOINTS = {
    "msgaudit/get_permit_user_list": Endpoint(permit_users, "archive"),
    "msgaudit/check_single_agree": Endpoint(single_agree, "archive"),
    "msgaudit/check_room_agree": Endpoint(room_agree, "archive"),
    "msgaudit/groupchat/get": Endpoint(group_chat, "archive"),
}
