"""Customer service as people see it: customers enter and write, servicers take over, answer and end."""

from __future__ import annotations

from typing import Any

from bot.sandbox import ids
from bot.sandbox.acts import ActRefused, member_of
from bot.sandbox.corp import Corp
from bot.sandbox.kf_book import FROM_CUSTOMER, FROM_SERVICER, event, message, new_code, note, reopen, ring, session
from bot.sandbox.model import Person
from bot.sandbox.records import KF_ENDED, KF_HUMAN, KF_POOL, KfAccount, KfItem, KfSession, Servicer
from bot.sandbox.world import World

_GREETED_SECONDS = 48 * 3600
_ACCEPTED = 1
_PASSED_ON = 2
_ENDED = 3


def need_account(corp: Corp, open_kfid: str) -> KfAccount:
    """A customer-service account."""
    account = corp.kf_accounts.get(open_kfid)
    if account is None:
        raise ActRefused("没有这个客服账号")
    return account


def open_account(world: World, corp: Corp, name: str, userids: list[str]) -> KfAccount:
    """An administrator makes an account in the console and puts it under API management."""
    made = KfAccount(ids.opaque("wk", 28), name or "在线客服")
    made.servicers = {u: Servicer(u) for u in (member_of(corp, userid).userid for userid in userids)}
    corp.kf_accounts[made.open_kfid] = made
    world.touch()
    return made


def enter(
    world: World, corp: Corp, account: KfAccount, person: Person, *, scene: str = "", param: str = ""
) -> KfSession:
    """A customer opens the account's entry; a welcome code unless they were greeted or wrote of late."""
    external = world.external_id(corp, person)
    one = session(corp, account.open_kfid, external)
    reopen(world, one)
    one.scene, one.scene_param = scene, param
    fresh = max(one.welcomed_at, one.customer_wrote_at) < world.clock.now() - _GREETED_SECONDS
    code = new_code(world, corp, one, "WC_", long=False) if fresh else ""
    told = event(account, external, "enter_session", scene=scene, scene_param=param, welcome_code=code)
    note(world, account, corp, external, told)
    ring(world, corp, account)
    return one


def customer_writes(
    world: World, corp: Corp, account: KfAccount, person: Person, msgtype: str, body: dict[str, Any]
) -> KfItem:
    """A customer writes to the account: the apps are rung, and five answers are allowed again."""
    external = world.external_id(corp, person)
    one = session(corp, account.open_kfid, external)
    reopen(world, one)
    one.customer_wrote_at, one.answers_left = world.clock.now(), world.options.kf_answers
    item = note(world, account, corp, external, message(account, external, FROM_CUSTOMER, msgtype, body))
    ring(world, corp, account)
    return item


def _need_session(corp: Corp, account: KfAccount, external_userid: str) -> KfSession:
    one = corp.kf_sessions.get((account.open_kfid, external_userid))
    if one is None:
        raise ActRefused("没有这个会话")
    return one


def accept(world: World, corp: Corp, account: KfAccount, userid: str, external_userid: str) -> KfSession:
    """A servicer takes the session, from the pool or from a colleague."""
    one = _need_session(corp, account, external_userid)
    servicer = account.servicers.get(member_of(corp, userid).userid)
    if servicer is None:
        raise ActRefused("你不是这个客服账号的接待人员")
    if one.state == KF_ENDED or (one.state == KF_HUMAN and one.servicer == servicer.userid):
        raise ActRefused("会话已结束或已由你接待")
    former, pooled = one.servicer, one.state == KF_POOL
    one.state, one.servicer = KF_HUMAN, servicer.userid
    code = new_code(world, corp, one, "MC_", long=True) if pooled or not former else ""
    told = event(
        account,
        external_userid,
        "session_status_change",
        change_type=_PASSED_ON if former else _ACCEPTED,
        old_servicer_userid=former,
        new_servicer_userid=servicer.userid,
        msg_code=code,
    )
    note(world, account, corp, external_userid, told)
    ring(world, corp, account)
    return one


def servicer_writes(
    world: World, corp: Corp, account: KfAccount, userid: str, external_userid: str, msgtype: str, body: dict[str, Any]
) -> KfItem:
    """The servicer answers by hand."""
    one = _need_session(corp, account, external_userid)
    if one.state != KF_HUMAN or one.servicer != member_of(corp, userid).userid:
        raise ActRefused("请先接待这个会话")
    told = message(account, external_userid, FROM_SERVICER, msgtype, body) | {"servicer_userid": one.servicer}
    item = note(world, account, corp, external_userid, told)
    ring(world, corp, account)
    return item


def end(world: World, corp: Corp, account: KfAccount, external_userid: str) -> KfSession:
    """The servicer ends the session; a new message of the customer opens another one."""
    one = _need_session(corp, account, external_userid)
    if one.state != KF_HUMAN:
        raise ActRefused("只有人工接待中的会话可以结束")
    former, one.servicer, one.state = one.servicer, "", KF_ENDED
    code = new_code(world, corp, one, "MC_", long=False)
    told = event(
        account, external_userid, "session_status_change", change_type=_ENDED, old_servicer_userid=former, msg_code=code
    )
    note(world, account, corp, external_userid, told)
    ring(world, corp, account)
    return one
