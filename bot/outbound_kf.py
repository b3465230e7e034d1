"""What the outbox rows of 微信客服 and of the staff bot do at WeCom."""

from collections.abc import Callable

from bot.outbound_call import Call, Done
from crm_core import outbox
from crm_core.errors import WeComRefused
from crm_core.events import KfCustomersFetched, KfMoved, KfSent
from crm_core.ids import StaffUserId
from crm_core.kf.rules import Standing
from crm_core.kf_port import KfStanding

TOO_MANY, TOO_LATE, NOT_OUR_TURN = 95001, 95002, 95018
FORBIDDEN = frozenset({TOO_MANY, TOO_LATE, NOT_OUR_TURN})
OVER, NOT_A_SERVICER, ILLEGAL_MOVE, OFF_DUTY = 95013, 95014, 95016, 95019
CARD_USED = 60140


def send(call: Call) -> Done:
    """Answer a customer. What WeCom's rules forbid is an outcome, not a fault."""
    payload = call.payload
    try:
        call.gateway.send_kf(payload["open_kfid"], payload["external_user"], payload["msgid"], payload["content"])
    except WeComRefused as refused:
        if refused.errcode not in FORBIDDEN:
            raise
        return Done(event_kind=KfSent, fields={"errcode": refused.errcode}, note=refused.message)
    return Done(event_kind=KfSent)


def on_event(call: Call) -> Done:
    """A message by an event's code. A second try that is refused means that the first one arrived."""
    payload = call.payload
    try:
        call.gateway.send_kf_on_event(payload["code"], payload["msgid"], payload["content"])
    except WeComRefused:
        if call.row.attempts == 1 and not call.row.interrupted:
            raise
        return Done(event_kind=KfSent, note="凭证已用过：上一次多半已送达")
    return Done(event_kind=KfSent)


def move(call: Call) -> Done:
    """Hand a session on. Where it stands already, or where WeCom says otherwise, that is the outcome."""
    payload = call.payload
    account, customer = str(payload["open_kfid"]), str(payload["external_user"])
    wanted = Standing(int(payload["standing"]))
    if call.row.attempts > 1 or call.row.interrupted:
        found = call.gateway.kf_standing(account, customer)
        if found.state == wanted:
            return _stands(found, "上一次已生效")
    servicer = _freest(call, account) if wanted is Standing.HUMAN else ""
    if wanted is Standing.HUMAN and not servicer:
        wanted = Standing.POOL
    try:
        code = call.gateway.move_kf(account, customer, wanted, servicer)
    except WeComRefused as refused:
        if refused.errcode in {NOT_A_SERVICER, OFF_DUTY} and wanted is Standing.HUMAN:
            wanted, servicer = Standing.POOL, ""
            code = call.gateway.move_kf(account, customer, wanted)
        elif refused.errcode in {OVER, ILLEGAL_MOVE}:
            return _stands(call.gateway.kf_standing(account, customer), refused.message)
        else:
            raise
    fields = {"standing": int(wanted), "servicer": servicer, "msg_code": code}
    return Done(event_kind=KfMoved, fields=fields)


def _stands(found: KfStanding, note: str) -> Done:
    return Done(event_kind=KfMoved, fields={"standing": found.state, "servicer": found.servicer}, note=note)


def _freest(call: Call, account: str) -> str:
    """Who is on duty and has the fewest customers; "" when nobody is."""
    busy = call.payload.get("busy", {})
    on_duty = call.gateway.kf_servicers_on_duty(account)
    return min(on_duty, key=lambda userid: (busy.get(userid, 0), userid), default="")


def fetch_customers(call: Call) -> Done:
    """Names of those who wrote."""
    found = call.gateway.kf_customers(call.payload["external_users"])
    return Done(event_kind=KfCustomersFetched, fields={"found": found})


def update_card(call: Call) -> Done:
    """Say on a card what its button did. A second try whose code is used means that the first one arrived."""
    staff = [StaffUserId(call.payload["staff"])]
    try:
        call.gateway.update_card(staff, str(call.payload["response_code"]), str(call.payload["said"]))
    except WeComRefused as refused:
        if refused.errcode != CARD_USED or (call.row.attempts == 1 and not call.row.interrupted):
            raise
        return Done(note="卡片已更新过")
    return Done()


KF_PERFORMERS: dict[str, Callable[[Call], Done]] = {
    outbox.KF_SEND.name: send,
    outbox.KF_MOVE.name: move,
    outbox.KF_ON_EVENT.name: on_event,
    outbox.KF_FETCH_CUSTOMERS.name: fetch_customers,
    outbox.UPDATE_CARD.name: update_card,
}
