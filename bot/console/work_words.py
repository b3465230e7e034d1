"""Durable work in Chinese: its tables, states, lanes and kinds, and what each state asks of a person. Pure."""

from dataclasses import dataclass

from crm_core.lease import WorkState

TABLES = {"inbox": "收件", "outbox": "发件", "jobs": "内部任务"}
TABLE_SAYS = {
    "inbox": "企业微信推送给我们的回调",
    "outbox": "我们要对企业微信做的事",
    "jobs": "定时任务、同步与失败后重试的处理",
}
LANES = {
    "welcome": "欢迎语",
    "default": "普通",
    "message": "应用消息",
    "single": "逐个执行",
    "media": "上传素材",
    "task": "导入导出与批量",
    "chat": "聊天消息",
    "kf": "微信客服",
    "meaning": "按意思找标签",
}
KINDS = {
    "send_welcome": "发送欢迎语",
    "fetch_customer": "读取客户资料",
    "mark_tag": "给客户打标签",
    "set_remark": "写客户备注",
    "fetch_group": "读取客户群",
    "fetch_tags": "读取标签库",
    "send_app_message": "给员工发应用消息",
    "add_contact_way": "创建渠道活码",
    "update_contact_way": "修改渠道活码",
    "delete_contact_way": "删除渠道活码",
    "add_tags": "新建标签",
    "edit_tag": "修改标签",
    "delete_tags": "删除标签",
    "upload_media": "上传素材",
    "fetch_intercept_rules": "读取敏感词规则",
    "add_intercept_rule": "新建敏感词规则",
    "update_intercept_rule": "修改敏感词规则",
    "delete_intercept_rule": "删除敏感词规则",
    "chat.read": "处理聊天消息",
    "chat.expire": "删除到期的会话消息",
    "chat.rename": "更换成员账号",
    "reply.tick": "提醒超时未回复",
    "kf_send": "微信客服：回复客户",
    "kf_move": "微信客服：变更接待状态",
    "kf_on_event": "微信客服：欢迎、提示与评价",
    "kf_fetch_customers": "微信客服：读取客户昵称",
    "update_card": "更新卡片按钮",
    "kf.sync": "微信客服：读取消息",
    "kf.accounts": "微信客服：读取账号",
    "kf.sweep": "微信客服：结束过期会话并补读",
    "handler_run": "重试失败的处理",
    "sop.tick": "执行到期的 SOP 步骤",
    "sync.incremental": "增量同步",
    "sync.full": "全量同步",
    "work.purge": "清理过期记录",
    "doctor.run": "运行诊断",
    "media.renew": "更新快过期的素材",
    "materials.empty_bin": "清空素材回收站",
    "materials.pages": "把文件转成图片",
    "reminders.tick": "提醒到点的跟进",
    "radar.tell": "补发素材浏览提醒",
    "radar.purge": "清理浏览记录",
    "task.run": "执行导入导出与批量任务",
    "chat_tags.meaning": "按例句从聊天里找标签",
    "chat_tags.train": "训练标签学习模型",
    "chat_tags.tend": "照看聊天自动标签",
    "scripts.embed": "计算话术的意思",
    "scripts.gaps": "收集没有话术可答的提问",
    "scripts.expire": "话术到期下架",
    "archive.tick": "检查会话存档",
    "archive.pull": "拉取会话存档",
    "archive.media": "下载存档文件",
    "archive.media_purge": "清理过期的存档文件",
    "FollowStarted": "添加好友",
    "FollowHalfStarted": "客户添加，员工未回应",
    "FollowEdited": "员工修改客户备注或标签",
    "FollowEndedByStaff": "员工删除客户",
    "FollowEndedByCustomer": "客户删除员工",
    "TransferFailed": "客户继承失败",
    "ArchiveConsentGiven": "客户同意会话存档",
    "GroupCreated": "客户群创建",
    "GroupChanged": "客户群变更",
    "GroupDismissed": "客户群解散",
    "TagCreated": "标签新建",
    "TagUpdated": "标签修改",
    "TagDeleted": "标签删除",
    "TagsShuffled": "标签排序",
    "StaffCreated": "成员加入",
    "StaffUpdated": "成员修改",
    "StaffDeleted": "成员离开",
    "DepartmentCreated": "部门新建",
    "DepartmentUpdated": "部门修改",
    "DepartmentDeleted": "部门删除",
    "KfHasNews": "微信客服有新消息",
    "KfAccountsAuthorised": "微信客服账号授权变更",
    "AppMessageReceived": "员工给应用发消息",
    "AppEntered": "员工打开应用",
    "MenuUsed": "员工点击应用菜单",
    "CardClicked": "员工点击卡片按钮",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StateWords:
    """A state in words. tone: colour of its mark; asks: what it asks of a person, "" when nothing."""

    name: str
    tone: str
    asks: str = ""


STATES = {
    WorkState.READY.value: StateWords(name="等待", tone="blue"),
    WorkState.LEASED.value: StateWords(name="执行中", tone="blue"),
    WorkState.DONE.value: StateWords(name="完成", tone="good"),
    WorkState.IGNORED.value: StateWords(name="忽略", tone="", asks=""),
    WorkState.DEAD.value: StateWords(
        name="已放弃",
        tone="bad",
        asks="多次尝试都没有成功。先按下面的原因修好，再点“重放”；确定不需要了就标记为已核对。",
    ),
    WorkState.UNKNOWN.value: StateWords(
        name="结果未知",
        tone="warn",
        asks="请求发出后没有收到企业微信的回答，可能已经执行，也可能没有。请先到企业微信里核对："
        "已经执行就标记为已核对；确实没有执行再重放，否则客户可能收到两次。",
    ),
    WorkState.EXPIRED.value: StateWords(
        name="已过期",
        tone="warn",
        asks="超过时限没有发出（欢迎语只有 20 秒）。欢迎语不能补发，标记为已核对即可；其他动作可以重放。",
    ),
    WorkState.QUARANTINED.value: StateWords(
        name="已隔离",
        tone="bad",
        asks="回调是真的，但内容看不懂，没有处理。升级后可以重放；确定无关就标记为已核对。",
    ),
}


def kind_name(kind: str) -> str:
    """A kind of work in Chinese; one nobody named yet shows its code."""
    return KINDS.get(kind, kind or "（未识别）")
