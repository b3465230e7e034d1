"""Audit rows as Chinese sentences. Pure. A new act gets its line here; a test compares this table with the source."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.console.work_words import STATES, TABLES
from crm_core.audit import AuditEntry
from crm_core.roles import ROLE_NAMES, SCOPE_NAMES, Role, Scope

FIRST_ADMIN, COMMAND_LINE = "@admin", "cli"
ACTOR_NAMES = {FIRST_ADMIN: "系统管理员", COMMAND_LINE: "命令行", "demo": "演示环境", "retention": "保留规则"}
OBJECTS = {
    "console": "控制台",
    "staff": "员工",
    "customer": "客户",
    "external_user": "客户",
    "script_gap": "待补话术",
    "sop": "SOP",
    "enrolment": "SOP 进度",
    "corp": "企业",
    "task": "任务",
    "tag": "标签",
    "tag_rule": "标签规则",
    "chat_tag_rule": "聊天标签规则",
    "tag_model": "标签学习模型",
    "kf_account": "客服账号",
    "kf_session": "客服会话",
    "contact_way": "活码",
    "welcome": "欢迎语",
    "custom_field": "自定义字段",
    "script": "话术",
    "scripts": "话术库",
    "material": "素材",
    "radar_link": "雷达链接",
    "radar_rule": "雷达规则",
    "sensitive": "敏感词分类",
    "sensitive_hit": "敏感词命中",
    "archive_file": "存档文件",
    "chat": "会话",
    **TABLES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One act in words. detail may be ""."""

    text: str
    detail: str = ""


Teller = Callable[[AuditEntry, str, str], Told]


def _plain(words: str) -> Teller:
    def say(entry: AuditEntry, actor: str, thing: str) -> Told:
        del entry
        return Told(text=words.format(actor=actor, thing=thing))

    return say


def _role(entry: AuditEntry, actor: str, thing: str) -> Told:
    return Told(
        text=f"{actor}把{thing}的角色改为“{_grant(entry.data.get('to'))}”",
        detail=f"原来是“{_grant(entry.data.get('from'))}”",
    )


def _grant(pair: object) -> str:
    if not isinstance(pair, list) or len(pair) != 2:
        return "未知"
    role, scope = pair
    role_name = ROLE_NAMES[Role(role)] if role in list(Role) else str(role)
    return f"{role_name}，{SCOPE_NAMES[Scope(scope)] if scope in list(Scope) else scope}"


def _checked(entry: AuditEntry, actor: str, thing: str) -> Told:
    state = STATES.get(str(entry.data.get("state", "")))
    return Told(text=f"{actor}把{thing}标记为已核对", detail=f"原来是“{state.name}”" if state else "")


def _enrolment(entry: AuditEntry, actor: str, thing: str) -> Told:
    del thing
    return Told(text=f"{actor}停止了一位客户的 SOP“{entry.data.get('sop', '')}”")


def _named(verb: str, kind: str) -> Teller:
    """Where the row keeps the object's name."""

    def say(entry: AuditEntry, actor: str, thing: str) -> Told:
        name = str(entry.data.get("name", ""))
        return Told(text=f"{actor}{verb}了{f'{kind}“{name}”' if name else thing}")

    return say


def _import(entry: AuditEntry, actor: str, thing: str) -> Told:
    del thing
    return Told(text=f"{actor}导入了文件“{entry.data.get('file', '')}”", detail=f"共 {entry.data.get('rows', 0)} 行")


def _sop(verb: str) -> Teller:
    def say(entry: AuditEntry, actor: str, thing: str) -> Told:
        del thing
        number = entry.data.get("enrolments", 0)
        return Told(text=f"{actor}{verb}了 SOP“{entry.data.get('name', '')}”", detail=f"涉及进行中的客户 {number} 位")

    return say


def _counted(words: str, name: str = "first") -> Teller:
    def say(entry: AuditEntry, actor: str, thing: str) -> Told:
        del thing
        first = str(entry.data.get(name, ""))
        return Told(
            text=f"{actor}{words}", detail=f"共 {entry.data.get('count', 0)} 条{f'，如“{first}”' if first else ''}"
        )

    return say


def _chat(verb: str) -> Teller:
    def say(entry: AuditEntry, actor: str, thing: str) -> Told:
        first, last = entry.data.get("first"), entry.data.get("last")
        return Told(text=verb.format(actor=actor, thing=thing), detail=f"第 {first} 到 {last} 条" if last else "")

    return say


def _chat_search(entry: AuditEntry, actor: str, thing: str) -> Told:
    del thing
    return Told(
        text=f"{actor}搜索了会话内容",
        detail=f"条件：{entry.data.get('query', '') or '无'}，看到 {entry.data.get('hits', 0)} 条",
    )


def _chat_expired(entry: AuditEntry, actor: str, thing: str) -> Told:
    del actor, thing
    names = {"single": "单聊", "group": "客户群", "kf": "微信客服", "internal": "内部"}
    counts = "、".join(f"{names.get(kind, kind)} {count} 条" for kind, count in entry.data.items() if count)
    return Told(text="系统按保留规则删除了到期的会话消息", detail=counts)


ACTS: dict[str, tuple[str, Teller]] = {
    "admin.signed_in": ("管理员密码登录", _plain("{actor}用密码登录了控制台")),
    "admin.refused": ("管理员密码错误", _plain("有人用错误的密码尝试登录控制台")),
    "role.given": ("分配角色", _role),
    "mobile.revealed": ("查看手机号", _plain("{actor}查看了{thing}的完整手机号")),
    "work.replayed": ("重放", _plain("{actor}重放了{thing}")),
    "work.checked": ("标记已核对", _checked),
    "content.revealed": ("查看原文", _plain("{actor}查看了{thing}的文字原文")),
    "sop.paused": ("暂停 SOP", _sop("暂停")),
    "sop.resumed": ("恢复 SOP", _sop("恢复")),
    "enrolment.stopped": ("停止 SOP 进度", _enrolment),
    "export.asked": ("发起导出", _plain("{actor}发起了导出{thing}")),
    "export.downloaded": ("下载导出文件", _plain("{actor}下载了{thing}的文件")),
    "import.asked": ("发起导入", _import),
    "script_gap.ignored": ("忽略待补话术", _plain("{actor}忽略了{thing}")),
    "script_gap.open": ("放回待补话术", _plain("{actor}把{thing}放回待补")),
    "script_gap.written": ("补上话术", _plain("{actor}为{thing}写了话术")),
    "scripts.exported": ("导出话术", _plain("{actor}导出了话术库")),
    "bulk.tags": ("批量改标签", _plain("{actor}批量修改了客户标签（{thing}）")),
    "bulk.stage": ("批量改阶段", _plain("{actor}批量修改了客户阶段（{thing}）")),
    "bulk.undo": ("撤销批量操作", _plain("{actor}撤销了一次批量操作（{thing}）")),
    "customer.data_exported": ("导出客户个人数据", _plain("{actor}导出了{thing}的个人数据")),
    "sensitive.category_saved": ("保存敏感词分类", _named("保存", "敏感词分类")),
    "sensitive.category_removed": ("删除敏感词分类", _named("删除", "敏感词分类")),
    "sensitive.category_restored": ("恢复敏感词分类", _named("恢复", "敏感词分类")),
    "sensitive.words_added": ("添加敏感词", _counted("添加了敏感词")),
    "sensitive.words_switched": ("生效或停用敏感词", _counted("生效或停用了敏感词", "state")),
    "sensitive.words_dropped": ("删除敏感词", _counted("删除了敏感词")),
    "sensitive.rules_pushed": ("推送敏感词规则", _counted("把敏感词规则推送到企业微信")),
    "sensitive.judged": ("审核命中", _counted("审核了敏感词命中", "state")),
    "sensitive.assigned": ("指派命中", _counted("指派了敏感词命中", "assignee")),
    "customer.erased": ("删除客户数据", _plain("{actor}删除了一位客户的数据（{thing}）")),
    "customer.merged": ("合并客户", _plain("{actor}把{thing}与另一位客户合并")),
    "customer.split": ("撤销合并", _plain("{actor}撤销了{thing}的合并")),
    "tags.add": ("新建标签", _plain("{actor}新建了标签或标签组")),
    "tags.rename": ("重命名标签", _plain("{actor}重命名了{thing}")),
    "tags.up": ("移动标签", _plain("{actor}把{thing}上移了一位")),
    "tags.down": ("移动标签", _plain("{actor}把{thing}下移了一位")),
    "tags.delete": ("删除标签", _plain("{actor}删除了{thing}")),
    "tags.dismiss": ("忽略标签提示", _plain("{actor}忽略了{thing}的提示")),
    "kf_account.changed": ("修改客服账号设置", _plain("{actor}修改了{thing}的应答设置")),
    "kf_session.handed_over": ("客服会话转人工", _plain("{actor}把{thing}转给了人工")),
    "kf_session.ended": ("结束客服会话", _plain("{actor}结束了{thing}")),
    "tag_rule.created": ("新建标签规则", _plain("{actor}新建了{thing}")),
    "tag_rule.on": ("启用标签规则", _plain("{actor}启用了{thing}")),
    "tag_rule.off": ("停用标签规则", _plain("{actor}停用了{thing}")),
    "tag_rule.deleted": ("删除标签规则", _plain("{actor}删除了{thing}")),
    "chat_tag_rule.created": ("新建聊天标签规则", _named("新建", "聊天标签规则")),
    "chat_tag_rule.changed": ("修改聊天标签规则", _named("修改", "聊天标签规则")),
    "chat_tag_rule.on": ("启用聊天标签规则", _named("启用", "聊天标签规则")),
    "chat_tag_rule.off": ("停用聊天标签规则", _named("停用", "聊天标签规则")),
    "chat_tag_rule.deleted": ("删除聊天标签规则", _named("删除", "聊天标签规则")),
    "chat_tags.backfilled": ("回溯聊天标签", _named("用历史消息回溯", "聊天标签规则")),
    "chat_tags.tried": ("测试聊天标签规则", _named("用历史消息测试", "聊天标签规则")),
    "chat_tags.read": ("查看聊天标签的原话", _named("查看命中的原话", "聊天标签规则")),
    "chat_tags.trained": ("训练标签学习模型", _plain("{actor}让标签学习模型重新训练")),
    "chat_tags.allowed": ("设置标签学习模型", _plain("{actor}修改了学习模型对{thing}的用法")),
    "contact_way.created": ("新建活码", _named("新建", "活码")),
    "contact_way.changed": ("修改活码", _named("修改", "活码")),
    "contact_way.deleted": ("删除活码", _named("删除", "活码")),
    "welcome.changed": ("修改欢迎语", _plain("{actor}修改了{thing}")),
    "welcome.removed": ("删除欢迎语", _plain("{actor}删除了{thing}")),
    "custom_field.defined": ("新建自定义字段", _named("新建", "自定义字段")),
    "custom_field.changed": ("修改自定义字段", _named("修改", "自定义字段")),
    "radar_rule.saved": ("保存雷达规则", _named("保存", "雷达规则")),
    "radar_rule.removed": ("删除雷达规则", _named("删除", "雷达规则")),
    "radar.revoked": ("撤销雷达链接", _plain("{actor}撤销了{thing}")),
    "script.approved": ("通过话术", _plain("{actor}通过了{thing}")),
    "script.rejected": ("退回话术", _plain("{actor}退回了{thing}")),
    "archive.file_read": ("下载存档文件", _plain("{actor}下载了{thing}")),
    "archive.pulled": ("拉取会话存档", _plain("{actor}让系统立即拉取会话存档")),
    "archive.retried": ("重试存档消息", _plain("{actor}让系统重试未能解密的存档消息")),
    "archive.gaps_read": ("确认存档缺号", _plain("{actor}确认了会话存档的缺号")),
    "chat.viewed": ("查看会话", _chat("{actor}查看了{thing}的会话")),
    "chat.searched": ("搜索会话", _chat_search),
    "chat.expired": ("到期删除会话消息", _chat_expired),
    "reply.rules": ("修改回复规则", _plain("{actor}修改了回复时效的规则")),
    "reply.dismissed": ("标记无需回复", _chat("{actor}把{thing}的等待标记为无需回复")),
    "doctor.asked": ("运行诊断", _plain("{actor}运行了诊断")),
    "sync.asked": ("开始同步", _plain("{actor}开始了全量同步")),
}


def tell(entry: AuditEntry, names: Mapping[str, str]) -> Told:
    """A sentence for one act. names: what people and objects are called, by their ids."""
    actor = actor_name(entry.actor, names)
    called = names.get(entry.object_id, entry.object_id)
    thing = f"{OBJECTS.get(entry.object_kind, entry.object_kind)}“{called}”" if called else "控制台"
    _, teller = ACTS.get(entry.act, (entry.act, None))
    return teller(entry, actor, thing) if teller else Told(text=f"{actor}对{thing}做了 {entry.act}")


def actor_name(actor: str, names: Mapping[str, str]) -> str:
    """Who did it; somebody from another corp is shown with that corp's id."""
    corp, _, userid = actor.rpartition("/")
    said = ACTOR_NAMES.get(actor) or names.get(userid, userid)
    return f"{said}（{corp}）" if corp else said
