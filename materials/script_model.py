"""Scripts as people edit them: forms, proposals and their states. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_core.errors import InputInvalid
from materials.model import Script, parse_messages

TITLE_CHARS = 60
KEYWORDS_CHARS = 200
MOST_SIMILAR, SIMILAR_CHARS = 20, 100
SCOPES = {"corp": "企业", "team": "团队", "personal": "个人"}
STATES = {"draft": "草稿", "waiting": "待审批", "approved": "已通过", "rejected": "已驳回"}
# What the sidebar can fill in honestly when a script is sent.
VARIABLES = {
    "{昵称}": "客户的微信昵称；还不知道时称“您”，发到群里时称“各位”",
    "{备注}": "员工给客户写的备注；没有备注时用昵称",
    "{员工}": "发送话术的员工姓名",
    "{日期}": "发送当天的日期，如 11月22日",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptForm:
    """A script as somebody wants it. similar: other ways a customer may ask; messages: stored form."""

    group_id: int
    title: str
    messages: tuple[dict[str, Any], ...]
    keywords: str = ""
    similar: tuple[str, ...] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A form on its way into force. script_id: 0 for a new script; state: a key of ``STATES``."""

    id: int
    script_id: int
    form: ScriptForm
    state: str
    author: str
    changed_at: datetime
    reviewer: str
    reason: str
    reviewed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptUsage:
    """Since ever: how often a script was sent, by how many people, and how many keep it at hand."""

    sends: int = 0
    people: int = 0
    favourites: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedScript:
    """A script in the console's list. offered: staff see it."""

    script: Script
    folder: str
    offered: bool
    usage: ScriptUsage
    changed_by: str
    changed_at: datetime
    deleted_at: datetime | None


def parse_form(
    *,
    group_id: int,
    title: str,
    messages: object,
    keywords: str = "",
    similar: Iterable[str] = (),
    expires_at: datetime | None = None,
) -> ScriptForm:
    """A checked form. Raises: InputInvalid naming the field."""
    name = " ".join(title.split())
    if not 1 <= len(name) <= TITLE_CHARS:
        raise InputInvalid(f"标题应有 1–{TITLE_CHARS} 个字", field="title")
    words = " ".join(keywords.replace("，", " ").replace(",", " ").replace("、", " ").split())
    if len(words) > KEYWORDS_CHARS:
        raise InputInvalid(f"关键词最多 {KEYWORDS_CHARS} 个字", field="keywords")
    questions = tuple(dict.fromkeys(one for one in (" ".join(raw.split()) for raw in similar) if one))
    if len(questions) > MOST_SIMILAR:
        raise InputInvalid(f"相似问最多 {MOST_SIMILAR} 条", field="similar")
    if any(len(question) > SIMILAR_CHARS for question in questions):
        raise InputInvalid(f"每条相似问最多 {SIMILAR_CHARS} 个字", field="similar")
    return ScriptForm(
        group_id=group_id,
        title=name,
        messages=parse_messages(messages, field="messages"),
        keywords=words,
        similar=questions,
        expires_at=expires_at,
    )
