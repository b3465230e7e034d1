"""The console's navigation: which pages there are, in which order, and who sees them."""

from dataclasses import dataclass

from bot.console.signing import Visitor


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One entry. permission: who sees it; path: below ``/console``, its first part marks the current entry."""

    path: str
    name: str
    icon: str
    permission: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A named group of entries."""

    name: str
    places: tuple[Place, ...]


SECTIONS = (
    Section(name="", places=(Place(path="/", name="首页", icon="house", permission="customers.read"),)),
    Section(
        name="客户",
        places=(
            Place(path="/customers", name="客户列表", icon="users", permission="customers.read"),
            Place(path="/groups", name="客户群", icon="messages-square", permission="groups.read"),
            Place(path="/tags", name="标签", icon="tags", permission="tags.read"),
            Place(path="/fields", name="自定义字段", icon="text-cursor-input", permission="fields.write"),
        ),
    ),
    Section(
        name="会话",
        places=(
            Place(path="/chats", name="会话内容", icon="message-circle-more", permission="chat.read"),
            Place(path="/replies", name="回复时效", icon="timer", permission="replies.read"),
            Place(path="/archive", name="会话存档", icon="archive", permission="archive.read"),
        ),
    ),
    Section(
        name="获客",
        places=(Place(path="/live-codes", name="渠道活码", icon="qr-code", permission="contact_ways.read"),),
    ),
    Section(
        name="运营",
        places=(
            Place(path="/sops", name="SOP", icon="workflow", permission="sops.read"),
            Place(path="/kf", name="微信客服", icon="headset", permission="kf.read"),
            Place(path="/todos", name="跟进任务", icon="list-todo", permission="customers.read"),
        ),
    ),
    Section(
        name="内容",
        places=(
            Place(path="/scripts", name="话术", icon="message-square-text", permission="scripts.read"),
            Place(path="/materials", name="素材", icon="images", permission="materials.read"),
            Place(path="/radar", name="素材雷达", icon="radar", permission="radar.read"),
            Place(path="/card", name="我的名片", icon="id-card", permission="card.own"),
        ),
    ),
    Section(
        name="合规",
        places=(
            Place(path="/hits", name="命中审核", icon="flag", permission="hits.read"),
            Place(path="/hit-figures", name="命中统计", icon="list", permission="hits.read"),
            Place(path="/sensitive", name="敏感词", icon="shield-check", permission="sensitive.read"),
        ),
    ),
    Section(
        name="组织",
        places=(
            Place(path="/staff", name="员工与角色", icon="user-cog", permission="staff.read"),
            Place(path="/corps", name="企业与应用", icon="building-2", permission="settings.read"),
        ),
    ),
    Section(
        name="系统",
        places=(
            Place(path="/guide", name="上线向导", icon="rocket", permission="settings.read"),
            Place(path="/tasks", name="任务中心", icon="list-checks", permission="tasks.read"),
            Place(path="/system", name="系统运行", icon="activity", permission="system.read"),
            Place(path="/audit", name="审计日志", icon="scroll-text", permission="audit.read"),
            Place(path="/settings", name="设置", icon="sliders-horizontal", permission="settings.read"),
            Place(path="/style", name="设计样式", icon="palette", permission="settings.read"),
        ),
    ),
)


def sections_for(visitor: Visitor) -> list[Section]:
    """What this visitor sees; empty sections are left out."""
    found = [
        Section(name=section.name, places=tuple(place for place in section.places if visitor.allows(place.permission)))
        for section in SECTIONS
    ]
    return [section for section in found if section.places]
