"""What WeCom's error codes mean and where in its console to put things right. Data only; ``errcodes`` reads it.

Wording: the vendor's global error list (doc 90313), codes of the protocol notes 3.2 and 14.1, read 2026-11-22 from a
stored copy of 2024-04-08. Remedies are ours.
"""

from enum import StrEnum
from typing import NamedTuple

DATE_READ = "2026-11-22"
ERROR_LIST = "90313"
RATE_LIMITS = "90454"
WELCOME = "92137"


class Kind(StrEnum):
    """What a code means for the caller; ``errcodes.CLASSES`` names the error class of each."""

    STALE = "stale"
    THROTTLED = "throttled"
    LATER = "later"
    GRANT = "grant"
    DEADLINE = "deadline"
    REFUSED = "refused"


class Known(NamedTuple):
    """One code. ``wording``: the vendor's; ``remedy``: what to do and where; ``doc``: vendor page number."""

    code: int
    kind: Kind
    wording: str
    remedy: str
    doc: str = ERROR_LIST


WAIT = "稍后自动重试，无需操作；持续出现时到 系统 → 发件箱 查看"
CHECK_APP = "在管理后台 应用管理 → 该应用 → Secret 查看，核对环境变量 SCRM_<KEY>_SECRET，重置过的要换新"
CORP = "在管理后台 我的企业 → 企业信息 → 企业ID 核对 corp_id"
REFRESHED = "已自动换取新的凭证；持续出现时核对该应用的 Secret 是否刚被重置"
MEMBER = "在管理后台 通讯录 核对该成员仍在职，并在 应用管理 → 该应用 → 可见范围 内"
DEPARTMENT = "在管理后台 通讯录 核对该部门存在，并在 应用管理 → 该应用 → 可见范围 内"
RANGE = "在管理后台 应用管理 → 该应用 → 可见范围 中加入所涉成员、部门"
MEDIA = "重新上传素材后再发（素材 3 天过期），格式与大小见 素材库 的提示"
CONTENT = "修改内容：检查长度、类型与必填项后重试"
TAG = "到 客户标签 重新同步标签库后再试"
TAG_CAP = "在管理后台 客户联系 → 企业客户标签 清理不用的标签"
JOB = "任务结果已过期，重新发起一次"
CUSTOMER = "在 客户列表 重新同步该客户；ID 须属于本企业"
RELATION = "该成员与客户已没有好友关系，等客户重新添加"
HEIR = "在管理后台 客户联系 → 在职继承 / 离职继承 核对双方状态"
SPAM = "内容被企业微信拦截，修改内容并在管理后台 客户联系 → 聊天敏感词 核对"
CONTACT_WAY = "在 渠道活码 里修改该活码：使用成员不超过 100 人，且都已激活、已实名"
CODE_CAP = "在 渠道活码 里删除不用的活码（联系我与群活码共 50 万个）"
WELCOME_LATE = "欢迎语凭证 20 秒内有效且只用一次；核对回调是否及时、管理后台 客户联系 → 欢迎语 是否另有设置"
WELCOME_DONE = "欢迎语已由别的应用发出或已开始聊天，无需再发；同一企业只留一个应用发欢迎语"
WELCOME_BUSY = "另一个应用正在发送欢迎语，20 秒内自动重试；同一企业只留一个应用发欢迎语"
WELCOME_OTHER = "在管理后台 客户联系 → 欢迎语 核对设置"
MASS = "在 客户群发 核对该任务：是否已取消、是否有可发送的客户"
MOMENT = "在 客户朋友圈 核对该任务是否已发表、是否由本应用创建"
WORDS = "在管理后台 客户联系 → 聊天敏感词 核对规则数量、范围与名称"
ALBUM = "在管理后台 客户联系 → 商品图册 核对商品"
JOIN_WAY = "一个群活码至多关联 5 个群，到 群活码 里减少"
LINKS = "在管理后台 客户联系 → 获客助手 删除不用的链接"
QUOTA = "已暂停该接口到限制解除；勿带 debug=1，错误的 Secret 也会触发封禁"
PARALLEL = "已自动降低并发；常见时调小 wecom.parallel_calls"
NARROW = "缩小查询范围后重试"
CALLABLE = "在管理后台 客户联系 → 客户 → API → 可调用接口的应用 中勾选该应用"
GRANTED = "在管理后台 应用管理 → 该应用 核对接口权限是否已授权"
IDLE = "应用久未使用被收回权限：请管理员在管理后台 应用管理 → 该应用 重新启用"
SYNC_IP = "通讯录同步的 Secret 不能从新 IP 读取详情：改用自建应用的 Secret"
RETIRED = "该接口已停用，请升级本产品"
GROUP = "该群已解散或已不在本企业，到 客户群 重新同步"
DOMAIN = "在管理后台 应用管理 → 该应用 → 网页授权及JS-SDK → 可信域名 填写并完成归属校验（含端口）"
DISABLED = "在管理后台 应用管理 → 该应用 重新启用"
CURSOR = "翻页凭证失效，从第一页重新开始"
IP = "在管理后台 应用管理 → 该应用 → 企业可信IP 加入本机出口 IP，约 1 分钟后生效"
AGENT = "在管理后台 应用管理 → 该应用 核对 AgentId"
LICENSE = "在服务商管理后台 为这些成员激活互通账号"
MINIPROGRAM = "在管理后台 应用管理 → 小程序 关联该小程序并核对 appid"
GROUP_HEIR = "在管理后台 客户联系 → 客户群 → 离职继承 核对该群状态"
PAID_CALL = "该成员被限制拨打公费电话，在管理后台 应用管理 → 公费电话 核对"
LOGIN = "登录凭证只能用一次且 5 分钟内有效：请重新打开页面登录"
STATE = "登录参数 state 只能是字母数字且不超过 128 字节：请升级本产品"
TICKET = "JS-SDK 票据不可跨应用使用：核对 sidebar 应用的 AgentId 与 Secret"
CARD = "卡片凭证只能用一次且会过期：请重新发送卡片"

KNOWN: tuple[Known, ...] = (
    Known(-1, Kind.LATER, "系统繁忙", WAIT),
    Known(6000, Kind.LATER, "数据版本冲突", WAIT),
    Known(40001, Kind.STALE, "不合法的secret参数", CHECK_APP),
    Known(40003, Kind.REFUSED, "无效的UserID", MEMBER),
    Known(40004, Kind.REFUSED, "不合法的媒体文件类型", MEDIA),
    Known(40005, Kind.REFUSED, "不合法的type参数", MEDIA),
    Known(40006, Kind.REFUSED, "不合法的文件大小", MEDIA),
    Known(40007, Kind.REFUSED, "不合法的media_id参数", MEDIA),
    Known(40008, Kind.REFUSED, "不合法的msgtype参数", CONTENT),
    Known(40009, Kind.REFUSED, "上传图片大小不是有效值", MEDIA),
    Known(40011, Kind.REFUSED, "上传视频大小不是有效值", MEDIA),
    Known(40013, Kind.GRANT, "不合法的CorpID", CORP),
    Known(40014, Kind.STALE, "不合法的access_token", REFRESHED),
    Known(40029, Kind.REFUSED, "不合法的oauth_code", LOGIN),
    Known(40031, Kind.REFUSED, "不合法的UserID列表", MEMBER),
    Known(40032, Kind.REFUSED, "不合法的UserID列表长度", NARROW),
    Known(40033, Kind.REFUSED, "不合法的请求字符", CONTENT),
    Known(40035, Kind.REFUSED, "不合法的参数", CONTENT),
    Known(40050, Kind.REFUSED, "chatid不存在", GROUP),
    Known(40056, Kind.REFUSED, "不合法的agentid", AGENT),
    Known(40058, Kind.REFUSED, "不合法的参数", CONTENT),
    Known(40063, Kind.REFUSED, "参数为空", CONTENT),
    Known(40066, Kind.REFUSED, "不合法的部门列表", DEPARTMENT),
    Known(40068, Kind.REFUSED, "不合法的标签/标签组ID", TAG),
    Known(40071, Kind.REFUSED, "不合法的标签名字", TAG),
    Known(40072, Kind.REFUSED, "不合法的标签名字长度", TAG),
    Known(40088, Kind.REFUSED, "jobid不存在", JOB),
    Known(40089, Kind.REFUSED, "批量任务的结果已清理", JOB),
    Known(40091, Kind.GRANT, "secret不合法", CHECK_APP),
    Known(40093, Kind.REFUSED, "jsapi签名错误", TICKET),
    Known(40096, Kind.REFUSED, "不合法的外部联系人userid", CUSTOMER),
    Known(40097, Kind.REFUSED, "该成员尚未离职", HEIR),
    Known(40098, Kind.REFUSED, "成员尚未实名认证", HEIR),
    Known(40099, Kind.REFUSED, "外部联系人的数量已达上限", HEIR),
    Known(40100, Kind.LATER, "此用户的外部联系人已经在转移流程中", WAIT),
    Known(40123, Kind.REFUSED, "上传临时图片素材，图片格式非法", MEDIA),
    Known(40126, Kind.REFUSED, "企业标签个数达到上限，最多为3000个", TAG_CAP),
    Known(40128, Kind.REFUSED, "客户转接过于频繁（90个自然日内，在职成员的每位客户仅可被转接2次）", HEIR),
    Known(40129, Kind.LATER, "当前客户正在转接中", WAIT),
    Known(40130, Kind.REFUSED, "原跟进人与接手人一样，不可继承", HEIR),
    Known(40131, Kind.REFUSED, "handover_userid 并不是外部联系人的跟进人", HEIR),
    Known(40143, Kind.REFUSED, "转接成员被封禁，无法进行客户继承操作", HEIR),
    Known(40201, Kind.REFUSED, "当前操作包含敏感信息，被反垃圾拦截", SPAM),
    Known(40204, Kind.REFUSED, "微信反垃圾", SPAM),
    Known(40205, Kind.REFUSED, "成员微信票据过期", HEIR),
    Known(40206, Kind.REFUSED, "请求body字节数超过限制", CONTENT),
    Known(41001, Kind.REFUSED, "缺少access_token参数", REFRESHED),
    Known(41002, Kind.GRANT, "缺少corpid参数", CORP),
    Known(41004, Kind.GRANT, "缺少secret参数", CHECK_APP),
    Known(41035, Kind.REFUSED, "缺少外部联系人userid参数", CUSTOMER),
    Known(41037, Kind.REFUSED, "缺少「联系我」type参数", CONTACT_WAY),
    Known(41038, Kind.REFUSED, "缺少「联系我」scene参数", CONTACT_WAY),
    Known(41039, Kind.REFUSED, "无效的「联系我」type参数", CONTACT_WAY),
    Known(41040, Kind.REFUSED, "无效的「联系我」scene参数", CONTACT_WAY),
    Known(41041, Kind.REFUSED, "「联系我」使用人数超过限制", CONTACT_WAY),
    Known(41042, Kind.REFUSED, "无效的「联系我」style参数", CONTACT_WAY),
    Known(41043, Kind.REFUSED, "缺少「联系我」config_id参数", CONTACT_WAY),
    Known(41044, Kind.REFUSED, "无效的「联系我」config_id参数", CONTACT_WAY),
    Known(41045, Kind.REFUSED, "API添加「联系我」达到数量上限", CODE_CAP),
    Known(41046, Kind.REFUSED, "缺少企业群发消息id", MASS),
    Known(41047, Kind.REFUSED, "无效的企业群发消息id", MASS),
    Known(41048, Kind.REFUSED, "无可发送的客户", MASS),
    Known(41049, Kind.REFUSED, "缺少欢迎语code参数", WELCOME_OTHER),
    Known(41050, Kind.DEADLINE, "无效的欢迎语code", WELCOME_LATE, WELCOME),
    Known(41051, Kind.REFUSED, "客户和服务人员已经开始聊天了", WELCOME_DONE, WELCOME),
    Known(41053, Kind.REFUSED, "客户未同意聊天存档", WELCOME_OTHER),
    Known(41054, Kind.REFUSED, "该用户尚未激活", CONTACT_WAY),
    Known(41055, Kind.REFUSED, "群欢迎语模板数量达到上限", WELCOME_OTHER),
    Known(41058, Kind.REFUSED, "无此群欢迎语模板的编辑权限", WELCOME_OTHER),
    Known(41059, Kind.REFUSED, "缺少moment_id参数", MOMENT),
    Known(41060, Kind.REFUSED, "不合法的moment_id参数", MOMENT),
    Known(41061, Kind.REFUSED, "不合法朋友圈发送成员userid，当前朋友圈并非此用户发表", MOMENT),
    Known(41062, Kind.REFUSED, "企业创建的朋友圈尚未被成员userid发表", MOMENT),
    Known(41063, Kind.LATER, "群发消息正在被派发中，请稍后再试", WAIT),
    Known(41064, Kind.REFUSED, "附件数量超过限制", CONTENT),
    Known(41065, Kind.REFUSED, "无效的附件类型", CONTENT),
    Known(41067, Kind.REFUSED, "朋友圈moment_id类型错误", MOMENT),
    Known(41068, Kind.REFUSED, "聊天敏感词列表超过了限制", WORDS),
    Known(41069, Kind.REFUSED, "聊天敏感词规则总数超过了限制", WORDS),
    Known(41070, Kind.REFUSED, "无效的聊天敏感词规则id", WORDS),
    Known(41071, Kind.REFUSED, "聊天敏感词规则已经被删除", WORDS),
    Known(41072, Kind.REFUSED, "资源附件场景使用错误", MEDIA),
    Known(41073, Kind.REFUSED, "商品图册描述不符合标准", ALBUM),
    Known(41074, Kind.REFUSED, "商品图册数据已经被删除", ALBUM),
    Known(41075, Kind.REFUSED, "无效的商品图册id或者数据不存在", ALBUM),
    Known(41076, Kind.REFUSED, "聊天敏感词规则适用范围超过限制", WORDS),
    Known(41077, Kind.REFUSED, "聊天敏感词规则名称不唯一", WORDS),
    Known(41078, Kind.LATER, "创建朋友圈正在进行的异步任务总数超过了限制", WAIT),
    Known(41079, Kind.LATER, "朋友圈正在被派发中，请稍后再试", WAIT),
    Known(41080, Kind.REFUSED, "附件资源大小超过限制", MEDIA),
    Known(41081, Kind.REFUSED, "附件资源的图片分辨率超过限制", MEDIA),
    Known(41082, Kind.REFUSED, "附件资源的视频时长超过限制", MEDIA),
    Known(41083, Kind.REFUSED, "敏感词关键字错误", WORDS),
    Known(41084, Kind.REFUSED, "敏感词拦截语义规则错误", WORDS),
    Known(41085, Kind.REFUSED, "无效商品编码", ALBUM),
    Known(41086, Kind.REFUSED, "无效商品价格", ALBUM),
    Known(41087, Kind.REFUSED, "无效商品描述", ALBUM),
    Known(41088, Kind.REFUSED, "附件列表为empty", ALBUM),
    Known(41089, Kind.REFUSED, "朋友圈附件与内容不能同时为empty", CONTENT),
    Known(41090, Kind.REFUSED, "视频格式不合法", MEDIA),
    Known(41091, Kind.REFUSED, "配置客户群进群方式最多只能关联5个群", JOIN_WAY),
    Known(41093, Kind.REFUSED, "群发任务已取消", MASS),
    Known(41094, Kind.LATER, "群发提醒超过频率限制", WAIT),
    Known(41095, Kind.REFUSED, "获客链接数量超过上限", LINKS),
    Known(41096, Kind.LATER, "欢迎语已在发送中", WELCOME_BUSY, WELCOME),
    Known(42001, Kind.STALE, "access_token已过期", REFRESHED),
    Known(42012, Kind.REFUSED, "jsapi_ticket不可用，一般是没有正确调用接口来创建jsapi_ticket", TICKET),
    Known(42022, Kind.REFUSED, "code已经被使用过。只能使用一次", LOGIN),
    Known(43004, Kind.REFUSED, "指定的userid未绑定微信或未关注微信插件（原企业号）", CUSTOMER),
    Known(44001, Kind.REFUSED, "多媒体文件为空", MEDIA),
    Known(44004, Kind.REFUSED, "文本消息content参数为空", CONTENT),
    Known(45001, Kind.REFUSED, "多媒体文件大小超过限制", MEDIA),
    Known(45002, Kind.REFUSED, "消息内容大小超过限制", CONTENT),
    Known(45009, Kind.THROTTLED, "接口调用超过限制", QUOTA, RATE_LIMITS),
    Known(45029, Kind.REFUSED, "回包大小超过上限", NARROW),
    Known(45033, Kind.THROTTLED, "接口并发调用超过限制", PARALLEL, RATE_LIMITS),
    Known(46004, Kind.REFUSED, "指定的用户不存在", MEMBER),
    Known(48001, Kind.GRANT, "API功能未授权", GRANTED),
    Known(48002, Kind.GRANT, "API接口无权限调用", CALLABLE),
    Known(48005, Kind.REFUSED, "API接口已废弃", RETIRED),
    Known(48006, Kind.GRANT, "接口权限被收回", IDLE),
    Known(
        48009,
        Kind.GRANT,
        "API接口无权限调用，为保障企业数据安全，不再允许通讯录同步助手从新增IP读取通讯录详情",
        SYNC_IP,
    ),
    Known(49008, Kind.REFUSED, "群已经解散", GROUP),
    Known(50001, Kind.GRANT, "redirect_url未登记可信域名", DOMAIN),
    Known(50002, Kind.REFUSED, "成员不在权限范围", MEMBER),
    Known(50003, Kind.GRANT, "应用已禁用", DISABLED),
    Known(50006, Kind.GRANT, "系统应用已禁用", DISABLED),
    Known(50100, Kind.REFUSED, "分页查询的游标无效", CURSOR),
    Known(60003, Kind.REFUSED, "部门ID不存在", DEPARTMENT),
    Known(60011, Kind.GRANT, "指定的成员/部门/标签参数无权限", RANGE),
    Known(60020, Kind.GRANT, "不安全的访问IP", IP),
    Known(60021, Kind.REFUSED, "userid不在应用可见范围内", MEMBER),
    Known(60030, Kind.GRANT, "已超出应用可见范围", RANGE),
    Known(60031, Kind.GRANT, "当前应用已禁止调用API", GRANTED),
    Known(60111, Kind.REFUSED, "UserID不存在", MEMBER),
    Known(60123, Kind.REFUSED, "无效的部门id", DEPARTMENT),
    Known(60140, Kind.REFUSED, "无效的response_code", CARD),
    Known(60146, Kind.REFUSED, "未找到手机号", MEMBER),
    Known(81013, Kind.REFUSED, "UserID、部门ID、标签ID全部非法或无权限", MEMBER),
    Known(81017, Kind.REFUSED, "请求个数超过限制", NARROW),
    Known(82001, Kind.REFUSED, "指定的成员/部门/标签全部为空", MEMBER),
    Known(84014, Kind.REFUSED, "成员票据过期", LOGIN),
    Known(84015, Kind.REFUSED, "成员票据无效", LOGIN),
    Known(84025, Kind.REFUSED, "不符合的state参数", STATE),
    Known(84061, Kind.REFUSED, "不存在外部联系人的关系", RELATION),
    Known(84069, Kind.REFUSED, "拨打方被限制拨打公费电话", PAID_CALL),
    Known(84074, Kind.GRANT, "没有外部联系人权限", CALLABLE),
    Known(84084, Kind.REFUSED, "非跟进用户", RELATION),
    Known(85005, Kind.GRANT, "可信域名未通过所有权校验", DOMAIN),
    Known(90206, Kind.REFUSED, "小程序未关联到企业中", MINIPROGRAM),
    Known(90207, Kind.REFUSED, "不合法的小程序appid", MINIPROGRAM),
    Known(90208, Kind.REFUSED, "小程序appid不匹配", MINIPROGRAM),
    Known(90500, Kind.REFUSED, "群主并未离职", GROUP_HEIR),
    Known(90501, Kind.REFUSED, "该群不是客户群", GROUP_HEIR),
    Known(90502, Kind.REFUSED, "群主已经离职", GROUP_HEIR),
    Known(90503, Kind.REFUSED, "满人 & 99个微信成员，没办法踢，要客户端确认", GROUP_HEIR),
    Known(90504, Kind.REFUSED, "群主没变", GROUP_HEIR),
    Known(90507, Kind.REFUSED, "离职群正在继承处理中", GROUP_HEIR),
    Known(90508, Kind.REFUSED, "离职群已经继承", GROUP_HEIR),
    Known(90509, Kind.REFUSED, "非企业微信客户群", GROUP_HEIR),
    Known(92000, Kind.REFUSED, "成员不在应用可见范围之内", MEMBER),
    Known(301002, Kind.GRANT, "无权限操作指定的应用", GRANTED),
    Known(701008, Kind.GRANT, "没有合法的有互通license的用户", LICENSE),
)
