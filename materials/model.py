"""Scripts (话术) as data. Pure: no clock, no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_core.errors import InputInvalid
from crm_core.messages import dump_message, parse_message

MOST_MESSAGES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptDraft:
    """A script on its way into the library. messages: stored form of ``crm_core.messages``, sent in this order."""

    key: str
    title: str
    keywords: str
    messages: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderDraft:
    """A folder of scripts on its way into the library. Larger ``sort_order`` comes first."""

    key: str
    name: str
    sort_order: int
    scripts: tuple[ScriptDraft, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """话术: ready wording for staff. {昵称} and {员工} are not filled in yet.

    messages: stored form of ``crm_core.messages``. pinyin: syllables of the title; initials: their first letters.
    """

    id: int
    group_id: int
    title: str
    keywords: str
    messages: tuple[dict[str, Any], ...]
    pinyin: str
    initials: str
    similar: tuple[str, ...] = ()
    expires_at: datetime | None = None

    @property
    def text(self) -> str:
        """All that a customer would read, in one string."""
        return "\n".join(said for message in self.messages for said in _readable(message))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptFolder:
    """话术分组: a folder with its number of scripts. scope: corp | team (of ``department_id``) | personal."""

    id: int
    name: str
    count: int
    scope: str = "corp"
    department_id: int = 0


def parse_folder(raw: Mapping[str, Any]) -> FolderDraft:
    """A folder from its YAML form. Raises: InputInvalid naming the place."""
    scripts = raw.get("scripts")
    if not isinstance(scripts, list) or not scripts:
        raise InputInvalid("话术分组里没有话术", field="scripts")
    parsed = tuple(_parse_script(item, f"scripts.{number}") for number, item in enumerate(scripts))
    if len({script.key for script in parsed}) != len(parsed):
        raise InputInvalid("话术的 key 不能重复", field="scripts")
    return FolderDraft(
        key=_words(raw, "key", "分组"),
        name=_words(raw, "name", "分组"),
        sort_order=int(raw.get("sort_order") or 0),
        scripts=parsed,
    )


def parse_messages(raw: object, *, field: str) -> tuple[dict[str, Any], ...]:
    """The messages of one script, checked. Raises: InputInvalid naming ``field``."""
    if not isinstance(raw, list) or not 1 <= len(raw) <= MOST_MESSAGES:
        raise InputInvalid(f"话术应有 1–{MOST_MESSAGES} 条消息", field=field)
    stored = []
    for item in raw:
        message = parse_message(item if isinstance(item, Mapping) else None, field=field)
        if message is None:
            raise InputInvalid("话术里有空消息", field=field)
        stored.append(dump_message(message))
    return tuple(stored)


def _parse_script(raw: object, place: str) -> ScriptDraft:
    if not isinstance(raw, Mapping):
        raise InputInvalid("话术应为键值", field=place)
    return ScriptDraft(
        key=_words(raw, "key", place),
        title=_words(raw, "title", place),
        keywords=str(raw.get("keywords") or "").strip(),
        messages=parse_messages(raw.get("messages"), field=f"{place}.messages"),
    )


def _words(raw: Mapping[str, Any], name: str, place: str) -> str:
    value = str(raw.get(name) or "").strip()
    if not value:
        raise InputInvalid(f"{place} 缺少 {name}", field=name)
    return value


def _readable(message: Mapping[str, Any]) -> list[str]:
    said = [str(message.get("text") or "")]
    for item in message.get("attachments") or []:
        body = item.get(item.get("msgtype"), {})
        said += [str(body.get("title") or ""), str(body.get("desc") or "")]
    return [part for part in said if part]
