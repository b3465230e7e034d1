"""What the timeline and the clock look like in Chinese. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from crm_core.customers import STAGES
from crm_core.spelling import spell

Data = Mapping[str, Any]

ENDED_BY = {"customer": "客户删除了{staff}", "staff": "{staff}删除了客户", "transfer": "客户已转给其他同事"}
TAG_SOURCES = {
    "channel": "渠道自动",
    "rule": "规则自动",
    "chat": "聊天识别",
    "wecom": "企业微信里",
    "staff": "侧边栏里",
}
FOLLOW_STATES = {"half": "等待员工通过", "active": "跟进中", "ended": "已结束"}
ENDED_BY_NAMES = {"customer": "客户已删除", "staff": "员工已删除", "transfer": "已转给同事"}
FILTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "all": ("全部", ()),
    "customer": ("客户动态", ("follow.",)),
    "staff": ("员工动态", ("tag.", "stage.", "field.", "customer.", "sop.")),
    "follow_up": ("跟进动态", ("follow_up.", "reminder.", "stage.")),
    "interaction": ("互动动态", ("message.", "welcome.", "sop.sent", "radar.")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One timeline entry in words. detail may be ""."""

    icon: str
    text: str
    detail: str = ""


def tell(kind: str, data: Data, staff_name: str) -> Told:
    """A sentence for one timeline entry; kinds nobody taught us yet are shown in general words."""
    teller = TELLERS.get(kind)
    if teller is None:
        return Told(icon="clock", text=f"{staff_name or '系统'}有一条新动态", detail=str(data.get("text", "")))
    return teller(data, staff_name or "员工")


def spoken_time(moment: datetime, now: datetime, zone: ZoneInfo) -> str:
    """今天 14:05, 昨天 09:30, 11月20日 18:00, 2025年3月1日."""
    local, today = moment.astimezone(zone), now.astimezone(zone)
    days = (today.date() - local.date()).days
    clock = f"{local:%H:%M}"
    near = {0: "今天", 1: "昨天", -1: "明天"}.get(days)
    if near:
        return f"{near} {clock}"
    if local.year == today.year:
        return f"{local.month}月{local.day}日 {clock}"
    return f"{local.year}年{local.month}月{local.day}日"


def findable(text: str) -> str:
    """What a search while typing looks through: the words, their pinyin and its first letters."""
    syllables, initials = spell(text)
    return f"{text} {syllables.replace(' ', '')} {initials}".lower()


def masked_mobile(mobile: str) -> str:
    """138****8000; short numbers keep only their last two digits."""
    return f"{mobile[:3]}****{mobile[-4:]}" if len(mobile) >= 11 else "*" * max(len(mobile) - 2, 0) + mobile[-2:]


def _plain(icon: str, words: str) -> Callable[[Data, str], Told]:
    def say(_: Data, staff: str) -> Told:
        return Told(icon=icon, text=words.format(staff=staff))

    return say


def _ended(data: Data, staff: str) -> Told:
    said = ENDED_BY.get(str(data.get("ended_by", "")), "与{staff}的好友关系已结束").format(staff=staff)
    return Told(icon="user-minus", text=said, detail="同步时发现" if data.get("found_by") == "sync" else "")


def _tags(verb: str) -> Callable[[Data, str], Told]:
    def say(data: Data, staff: str) -> Told:
        names = "、".join(f"「{name}」" for name in data.get("tags", []))
        source = TAG_SOURCES.get(str(data.get("source", "")), "")
        return Told(icon="tag", text=f"{verb}标签{names}", detail=f"{source} · {staff}" if source else staff)

    return say


def _stage(data: Data, staff: str) -> Told:
    old, new = (STAGES.get(str(data.get(end, "")), str(data.get(end, ""))) for end in ("from", "to"))
    return Told(icon="flag", text=f"{staff}把阶段从「{old}」改为「{new}」", detail=str(data.get("note", "")))


def _welcomed(data: Data, staff: str) -> Told:
    return Told(icon="message-square-text", text=f"已代{staff}发送欢迎语", detail=str(data.get("text", "")))


def _not_welcomed(data: Data, staff: str) -> Told:
    return Told(icon="circle-alert", text=f"{staff}的欢迎语没有发出", detail=str(data.get("error", "")))


def _step(verb: str, icon: str) -> Callable[[Data, str], Told]:
    def say(data: Data, staff: str) -> Told:
        reason = str(data.get("reason", ""))
        detail = " · ".join(part for part in (str(data.get("sop", "")), f"原因：{reason}" if reason else "") if part)
        return Told(icon=icon, text=f"{staff}{verb}任务「{data.get('title', '')}」", detail=detail)

    return say


def _followed_up(data: Data, staff: str) -> Told:
    text, planned = str(data.get("text", "")), str(data.get("next_contact", ""))
    said = f"{staff}写了跟进记录" if text else f"{staff}约定了下次跟进"
    when = _moment_text(planned) if planned else ""
    return Told(icon="pencil", text=said, detail="\n".join(part for part in (text, when) if part))


def _moment_text(planned: str) -> str:
    local = datetime.fromisoformat(planned)
    return f"下次跟进：{local.month}月{local.day}日 {local:%H:%M}"


def _reminded(data: Data, staff: str) -> Told:
    return Told(icon="bell", text=f"{staff}完成了跟进提醒", detail=str(data.get("note", "")))


def _fields(data: Data, staff: str) -> Told:
    lines = [
        f"{change.get('name', '')}：{change.get('from') or '空'} → {change.get('to') or '空'}"
        for change in data.get("changes", [])
    ]
    return Told(icon="pencil", text=f"{staff}修改了客户资料", detail="\n".join(lines))


def _same(words: str) -> Callable[[Data, str], Told]:
    def say(data: Data, staff: str) -> Told:
        return Told(icon="users", text=words.format(staff=staff, other=data.get("other", "")))

    return say


def _message(data: Data, staff: str) -> Told:
    edited = "改写后发送" if data.get("edited") else "发送"
    return Told(
        icon="send", text=f"{staff}{edited}了话术「{data.get('title', '')}」", detail=str(data.get("preview", ""))
    )


def _thing(data: Data) -> str:
    return "名片" if data.get("subject") == "card" else f"《{data.get('title', '')}》"


def _opened(data: Data, staff: str) -> Told:
    times = int(data.get("times", 1))
    detail = f"第 {times} 次打开 · {staff}发送" if times > 1 else f"{staff}发送"
    return Told(icon="link", text=f"客户打开了{_thing(data)}", detail=detail)


def _finished(data: Data, _staff: str) -> Told:
    minutes, seconds = divmod(int(data.get("seconds", 0)), 60)
    spent = f"{minutes} 分 {seconds} 秒" if minutes else f"{seconds} 秒"
    return Told(icon="check", text=f"客户看完了{_thing(data)}", detail=f"用时 {spent}")


def _forwarded(data: Data, _staff: str) -> Told:
    return Told(icon="send", text=f"客户转发了{_thing(data)}", detail=f"已带来 {data.get('readers', 1)} 位新读者")


def _scored(data: Data, _staff: str) -> Told:
    return Told(icon="flag", text=f"兴趣分 +{data.get('points', 0)}", detail=str(data.get("reason", "")))


TELLERS: dict[str, Callable[[Data, str], Told]] = {
    "follow.started": _plain("user-plus", "{staff}与客户成为好友"),
    "follow.half_started": _plain("user-plus", "客户添加了{staff}，等待{staff}回应"),
    "follow.ended": _ended,
    "tag.added": _tags("添加了"),
    "tag.removed": _tags("移除了"),
    "stage.changed": _stage,
    "welcome.sent": _welcomed,
    "welcome.failed": _not_welcomed,
    "sop.sent": _step("完成了", "check"),
    "sop.skipped": _step("跳过了", "skip-forward"),
    "message.sent": _message,
    "follow_up.recorded": _followed_up,
    "reminder.done": _reminded,
    "field.changed": _fields,
    "customer.merged": _same("{staff}把这位客户与「{other}」合并为同一人"),
    "customer.split": _same("{staff}撤销了与「{other}」的合并"),
    "archive.agreed": _plain("check", "客户同意了会话存档"),
    "archive.refused": _plain("circle-alert", "客户不同意会话存档"),
    "radar.opened": _opened,
    "radar.finished": _finished,
    "radar.forwarded": _forwarded,
    "radar.scored": _scored,
}
