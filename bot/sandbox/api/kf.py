"""Customer service (微信客服): accounts, servicers, entries, customers, session state. Source: WeCom docs 94661 ff."""

from __future__ import annotations

from bot.sandbox import ids
from bot.sandbox.api.call import Answer, Call, Endpoint
from bot.sandbox.api.media import need_media
from bot.sandbox.kf_book import new_code, session
from bot.sandbox.records import KF_ENDED, KF_HUMAN, KF_NEW, KF_POOL, KfAccount, KfSession, Servicer
from bot.sandbox.refusal import Refusal, wrong_field

_NAME_CHARS = 16
_SERVICERS = 100
_DEPARTMENTS = 20
_CUSTOMERS = 100
_SCENE_LETTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-")
_MOVES = {0: {1, 2, 3, 4}, 1: {2, 3, 4}, 2: {3, 4}, 3: {2, 3, 4}, 4: set[int]()}


def need_account(call: Call, open_kfid: str) -> KfAccount:
    """An account under API management; 95000 missing, 95004 unknown, 95017 switched off."""
    if not open_kfid:
        raise Refusal(95000)
    account = call.corp.kf_accounts.get(open_kfid)
    if account is None:
        raise Refusal(95004)
    if not account.manageable:
        raise Refusal(95017)
    return account


def _account(call: Call) -> KfAccount:
    return need_account(call, call.body.text("open_kfid"))


def _name(call: Call) -> str:
    name = call.body.text("name")
    if not 1 <= len(name) <= _NAME_CHARS:
        raise Refusal(95006)
    return name


def add_account(call: Call) -> Answer:
    """kf/account/add: 95006 bad name, 95005 too many, 40007 no such picture."""
    name, picture = _name(call), need_media(call, call.body.text("media_id"), "image")
    if len(call.corp.kf_accounts) >= call.world.options.kf_account_limit:
        raise Refusal(95005)
    made = KfAccount(ids.opaque("wk", 28), name, _picture_url(call, picture.media_id))
    call.corp.kf_accounts[made.open_kfid] = made
    call.world.touch()
    return {"open_kfid": made.open_kfid}


def _picture_url(call: Call, media_id: str) -> str:
    return f"{call.world.base_url}/sandbox/media/{call.corp.corp_id}/{media_id}"


def update_account(call: Call) -> Answer:
    """kf/account/update: name or picture."""
    account = _account(call)
    if call.body.has("name"):
        account.name = _name(call)
    if call.body.has("media_id"):
        account.avatar = _picture_url(call, need_media(call, call.body.text("media_id"), "image").media_id)
    call.world.touch()
    return {}


def delete_account(call: Call) -> Answer:
    """kf/account/del."""
    del call.corp.kf_accounts[_account(call).open_kfid]
    call.world.touch()
    return {}


def list_accounts(call: Call) -> Answer:
    """kf/account/list: offset and limit, at most 100."""
    offset, limit = call.body.whole("offset"), call.body.whole("limit", 100)
    if not 1 <= limit <= 100 or offset < 0:
        raise wrong_field("limit")
    rows = list(call.corp.kf_accounts.values())[offset : offset + limit]
    return {
        "account_list": [
            {"open_kfid": a.open_kfid, "name": a.name, "avatar": a.avatar, "manage_privilege": a.manageable}
            for a in rows
        ]
    }


def add_contact_way(call: Call) -> Answer:
    """kf/add_contact_way: the URL of an entry; scene comes back in enter_session."""
    account = _account(call)
    scene = call.body.text("scene", size=32)
    if not set(scene) <= _SCENE_LETTERS:
        raise wrong_field("scene")
    if scene not in account.scenes:
        account.scenes.append(scene)
    call.world.touch()
    return {"url": f"{call.world.base_url}/kfid/{account.open_kfid}?enc_scene={scene}"}


def change_servicers(call: Call, *, add: bool) -> Answer:
    """kf/servicer/add and del: one result for each member and department named."""
    account = _account(call)
    users = call.body.texts("userid_list", most=_SERVICERS)
    parties = call.body.numbers("department_id_list", most=_DEPARTMENTS)
    if not users and not parties:
        raise wrong_field("userid_list")
    rows: list[Answer] = []
    for userid in users:
        member = call.corp.member(userid)
        code = 0 if member and call.corp.sees(call.app, member) else 60111
        if member and not code:
            _change(account, member.userid, 0, add=add)
        rows.append({"userid": userid, "errcode": code, "errmsg": "success" if not code else "invalid userid"})
    for party in parties:
        code = 0 if party in call.corp.visible_departments(call.app) else 60003
        inside = call.corp.below(party) if not code else set()
        for member in [s for s in call.corp.staff.values() if inside.intersection(s.departments)]:
            _change(account, member.userid, party, add=add)
        rows.append(
            {"department_id": party, "errcode": code, "errmsg": "success" if not code else "invalid department"}
        )
    call.world.touch()
    return {"result_list": rows}


def _change(account: KfAccount, userid: str, party: int, *, add: bool) -> None:
    if add:
        account.servicers.setdefault(userid, Servicer(userid, department_id=party))
    else:
        account.servicers.pop(userid, None)


def add_servicers(call: Call) -> Answer:
    """kf/servicer/add."""
    return change_servicers(call, add=True)


def delete_servicers(call: Call) -> Answer:
    """kf/servicer/del."""
    return change_servicers(call, add=False)


def list_servicers(call: Call) -> Answer:
    """kf/servicer/list?open_kfid=: status 0 on duty, 1 off."""
    account = need_account(call, call.query.text("open_kfid"))
    return {"servicer_list": [{"userid": s.userid, "status": s.status} for s in account.servicers.values()]}


def customers(call: Call) -> Answer:
    """kf/customer/batchget: nicknames of those who wrote; unknown ones are named."""
    wanted = call.body.texts("external_userid_list", most=_CUSTOMERS)
    if not wanted:
        raise wrong_field("external_userid_list")
    rows, bad = [], []
    talked = {external for _, external in call.corp.kf_sessions}
    for external in wanted:
        if external not in talked:
            bad.append(external)
            continue
        person = call.world.persons[call.corp.person_of[external]]
        row: Answer = {
            "external_userid": external,
            "nickname": person.name,
            "avatar": f"{call.world.base_url}/sandbox/avatar/{person.id}.png",
            "gender": person.gender,
        }
        if person.unionid and call.corp.bound:
            row["unionid"] = person.unionid
        if call.body.whole("need_enter_session_context") == 1:
            row["enter_session_context"] = _entered(call, external)
        rows.append(row)
    return {"customer_list": rows, "invalid_external_userid": bad}


def _entered(call: Call, external: str) -> Answer:
    one = next(s for s in reversed(call.corp.kf_sessions.values()) if s.external_userid == external)
    return {"scene": one.scene, "scene_param": one.scene_param}


def _session(call: Call) -> tuple[KfAccount, KfSession]:
    account = _account(call)
    external = call.body.need_text("external_userid", missing=41035)
    if external not in call.corp.person_of:
        raise Refusal(40096)
    return account, session(call.corp, account.open_kfid, external)


def get_state(call: Call) -> Answer:
    """kf/service_state/get: 0 new, 1 bot, 2 pool, 3 human, 4 ended."""
    _, one = _session(call)
    return {"service_state": one.state} | ({"servicer_userid": one.servicer} if one.servicer else {})


def change_state(call: Call) -> Answer:
    """kf/service_state/trans: 95013 ended, 95016 illegal move, 95014 no servicer, 95019 off duty."""
    account, one = _session(call)
    wanted = call.body.whole("service_state", -1)
    if one.state == KF_ENDED:
        raise Refusal(95013)
    if wanted not in _MOVES[one.state]:
        raise Refusal(95016)
    userid = call.body.text("servicer_userid")
    if wanted == KF_HUMAN:
        servicer = account.servicers.get(userid)
        if servicer is None:
            raise Refusal(95014)
        if servicer.status:
            raise Refusal(95019)
    one.state, one.servicer = wanted, userid if wanted == KF_HUMAN else ""
    call.world.touch()
    if wanted in {KF_NEW, 1}:
        return {}
    return {"msg_code": new_code(call.world, call.corp, one, "MC_", long=wanted in {KF_POOL, KF_HUMAN})}


ENDPOINTS = {
    "kf/account/add": Endpoint(add_account),
    "kf/account/update": Endpoint(update_account),
    "kf/account/del": Endpoint(delete_account),
    "kf/account/list": Endpoint(list_accounts),
    "kf/add_contact_way": Endpoint(add_contact_way),
    "kf/servicer/add": Endpoint(add_servicers),
    "kf/servicer/del": Endpoint(delete_servicers),
    "kf/servicer/list": Endpoint(list_servicers),
    "kf/customer/batchget": Endpoint(customers),
    "kf/service_state/get": Endpoint(get_state),
    "kf/service_state/trans": Endpoint(change_state),
}
