"""Every list of the console: its columns, filters and orders."""

from bot.console.list_state import Column, Filter, ListSpec

CUSTOMERS = ListSpec(
    key="customers",
    path="/customers",
    permission="customers.read",
    has_bulk=True,
    columns=(
        Column(key="customer", name="客户"),
        Column(key="stage", name="阶段"),
        Column(key="tags", name="标签"),
        Column(key="staff", name="跟进人"),
        Column(key="source", name="来源"),
        Column(key="started", name="添加时间"),
        Column(key="status", name="好友状态"),
        Column(key="mobile", name="手机号", is_usual=False),
        Column(key="remark", name="备注", is_usual=False),
        Column(key="company", name="企业", is_usual=False),
        Column(key="ended", name="流失时间", is_usual=False),
    ),
    filters=(
        Filter(key="q", name="搜索", kind="search", is_first=True, help="姓名、备注、企业、拼音首字母、手机号"),
        Filter(key="staff", name="跟进人", kind="choice", is_first=True),
        Filter(key="tag", name="标签", kind="several", is_first=True),
        Filter(key="stage", name="阶段", kind="several", is_first=True),
        Filter(key="added", name="添加时间", kind="choice", is_first=True),
        Filter(key="department", name="部门", kind="choice"),
        Filter(key="way", name="渠道活码", kind="choice"),
        Filter(key="add_way", name="来源", kind="choice"),
        Filter(key="status", name="好友状态", kind="choice"),
        Filter(key="lost", name="流失时间", kind="choice"),
        Filter(key="mobile", name="手机号", kind="choice"),
        Filter(key="group", name="是否在群", kind="choice"),
        Filter(key="added_from", name="添加从", kind="date"),
        Filter(key="added_until", name="添加到", kind="date"),
        Filter(key="chat", name="所在群", kind="hidden"),
    ),
    sorts=(("newest", "最近添加"), ("oldest", "最早添加")),
)
TASKS = ListSpec(
    key="tasks",
    path="/tasks",
    permission="tasks.read",
    columns=(
        Column(key="task", name="任务"),
        Column(key="state", name="状态"),
        Column(key="progress", name="进度"),
        Column(key="by", name="发起人"),
        Column(key="created", name="发起时间"),
        Column(key="file", name="结果"),
    ),
    filters=(Filter(key="mine", name="范围", kind="choice", is_first=True),),
)
WAYS = ListSpec(
    key="ways",
    path="/live-codes",
    permission="contact_ways.read",
    columns=(
        Column(key="way", name="活码"),
        Column(key="status", name="状态"),
        Column(key="staff", name="接待员工"),
        Column(key="today", name="今日添加", is_number=True),
        Column(key="total", name="累计添加", is_number=True),
        Column(key="lost", name="已流失", is_number=True),
        Column(key="tags", name="自动标签", is_usual=False),
        Column(key="created", name="创建时间"),
    ),
    filters=(
        Filter(key="q", name="搜索", kind="search", is_first=True, help="活码名称"),
        Filter(key="status", name="状态", kind="choice", is_first=True),
        Filter(key="staff", name="接待员工", kind="choice", is_first=True),
    ),
)
GROUPS = ListSpec(
    key="groups",
    path="/groups",
    permission="groups.read",
    columns=(
        Column(key="group", name="客户群"),
        Column(key="owner", name="群主"),
        Column(key="members", name="成员", is_number=True),
        Column(key="customers", name="客户", is_number=True),
        Column(key="joined", name="今日入群", is_number=True),
        Column(key="left", name="今日退群", is_number=True),
        Column(key="created", name="建群时间"),
        Column(key="status", name="状态", is_usual=False),
    ),
    filters=(
        Filter(key="q", name="搜索", kind="search", is_first=True, help="群名"),
        Filter(key="owner", name="群主", kind="choice", is_first=True),
        Filter(key="status", name="状态", kind="choice", is_first=True),
    ),
)
HITS = ListSpec(
    key="hits",
    path="/hits",
    permission="hits.read",
    has_bulk=True,
    columns=(
        Column(key="hit", name="命中"),
        Column(key="category", name="分类"),
        Column(key="staff", name="员工"),
        Column(key="customer", name="客户"),
        Column(key="sent", name="时间"),
        Column(key="state", name="状态"),
        Column(key="assignee", name="负责人"),
        Column(key="way", name="写法", is_usual=False),
        Column(key="due", name="期限", is_usual=False),
        Column(key="note", name="备注", is_usual=False),
    ),
    filters=(
        Filter(key="state", name="状态", kind="choice", is_first=True),
        Filter(key="severity", name="严重程度", kind="choice", is_first=True),
        Filter(key="category", name="分类", kind="choice", is_first=True),
        Filter(key="staff", name="员工", kind="choice", is_first=True),
        Filter(key="department", name="部门", kind="choice"),
        Filter(key="week", name="周", kind="choice"),
        Filter(key="assignee", name="负责人", kind="choice"),
        Filter(key="since_week", name="从哪一周起", kind="hidden"),
    ),
)

CHAT_TAGS = ListSpec(
    key="chat_tags",
    path="/tags/chat",
    permission="tags.read",
    columns=(
        Column(key="rule", name="规则"),
        Column(key="tag", name="标签"),
        Column(key="mode", name="方式"),
        Column(key="state", name="状态"),
        Column(key="waiting", name="待确认", is_number=True),
        Column(key="right", name="已确认", is_number=True),
        Column(key="wrong", name="被否定", is_number=True),
        Column(key="applied", name="自动打上", is_number=True),
        Column(key="precision", name="准确率", is_number=True),
        Column(key="acts", name="操作"),
    ),
    filters=(
        Filter(key="q", name="搜索", kind="search", is_first=True, help="规则名称"),
        Filter(key="kind", name="类型", kind="choice", is_first=True),
        Filter(key="mode", name="方式", kind="choice", is_first=True),
        Filter(key="state", name="状态", kind="choice", is_first=True),
    ),
)

KF_SESSIONS = ListSpec(
    key="kf_sessions",
    path="/kf",
    permission="kf.read",
    columns=(
        Column(key="customer", name="客户"),
        Column(key="standing", name="状态"),
        Column(key="account", name="客服账号"),
        Column(key="servicer", name="接待人员"),
        Column(key="waited", name="等待人工"),
        Column(key="answers", name="机器人回答", is_number=True),
        Column(key="rating", name="评价"),
        Column(key="opened", name="开始时间"),
        Column(key="why", name="转人工原因", is_usual=False),
        Column(key="problem", name="异常", is_usual=False),
    ),
    filters=(
        Filter(key="standing", name="状态", kind="choice", is_first=True),
        Filter(key="account", name="客服账号", kind="choice", is_first=True),
        Filter(key="servicer", name="接待人员", kind="choice", is_first=True),
        Filter(key="rating", name="评价", kind="choice"),
        Filter(key="problem", name="异常", kind="choice"),
    ),
)
CHATS = ListSpec(
    key="chats",
    path="/chats",
    permission="chat.read",
    columns=(
        Column(key="talk", name="会话"),
        Column(key="kind", name="类型"),
        Column(key="staff", name="员工"),
        Column(key="last", name="最后一条"),
        Column(key="customers", name="客户消息", is_number=True),
        Column(key="by_staff", name="员工消息", is_number=True),
        Column(key="waiting", name="回复"),
        Column(key="first", name="第一条", is_usual=False),
    ),
    filters=(
        Filter(key="kind", name="类型", kind="choice", is_first=True),
        Filter(key="staff", name="员工", kind="choice", is_first=True),
        Filter(key="since", name="有消息从", kind="date", is_first=True),
        Filter(key="until", name="到", kind="date", is_first=True),
        Filter(key="customer", name="客户", kind="hidden"),
    ),
)
CHAT_SEARCH = ListSpec(
    key="chat_search",
    path="/chats/search",
    permission="chat.read",
    columns=(
        Column(key="said", name="消息"),
        Column(key="who", name="谁说的"),
        Column(key="where", name="会话"),
        Column(key="at", name="时间"),
        Column(key="kind", name="类型"),
    ),
    filters=(
        Filter(key="q", name="搜索", kind="search", is_first=True, help="说过的字或词，空格隔开表示都要有"),
        Filter(key="staff", name="员工", kind="choice", is_first=True),
        Filter(key="kind", name="类型", kind="choice", is_first=True),
        Filter(key="since", name="从", kind="date", is_first=True),
        Filter(key="until", name="到", kind="date", is_first=True),
        Filter(key="customer", name="客户", kind="hidden"),
        Filter(key="chat", name="客户群", kind="hidden"),
    ),
)
WAITS = ListSpec(
    key="waits",
    path="/replies/waits",
    permission="replies.read",
    columns=(
        Column(key="talk", name="客户"),
        Column(key="staff", name="员工"),
        Column(key="since", name="从何时起"),
        Column(key="messages", name="未回消息", is_number=True),
        Column(key="outcome", name="结果"),
        Column(key="took", name="回复用时"),
        Column(key="told", name="已提醒"),
    ),
    filters=(
        Filter(key="state", name="状态", kind="choice", is_first=True),
        Filter(key="staff", name="员工", kind="choice", is_first=True),
        Filter(key="week", name="周", kind="choice", is_first=True),
    ),
)
SPECS = {
    spec.key: spec for spec in (CUSTOMERS, TASKS, WAYS, GROUPS, CHATS, CHAT_SEARCH, WAITS, HITS, CHAT_TAGS, KF_SESSIONS)
}
