"""Where each effective setting comes from: config.yaml, the environment, or the default. Secrets are never told."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel

from crm_core.config import SECRET_KINDS, Settings, secret_name

Origin = Literal["env", "file", "default"]
USER_IN_URL = re.compile(r"://[^/@]*@")
OUR_FILE = Path(__file__).resolve().parent.parent / "config.yaml"
_SECTION = re.compile(r"^([a-z_]+):(?:\s*#.*)?$")
_KEY = re.compile(r"^ +([a-z_]+):.*?\s#\s(.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingLine:
    """One effective setting. key: ``server.port``; variable: what overrides it; says: what it means, "" if unknown."""

    key: str
    value: str
    origin: Origin
    variable: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretLine:
    """One secret: only whether it is set."""

    variable: str
    says: str
    is_set: bool


def lines(settings: Settings, file: Path | None, environ: Mapping[str, str]) -> dict[str, list[SettingLine]]:
    """Every plain setting by part, in the order of config.yaml. file: the one in force, None when there is none."""
    raw, said = _raw(file), comments()
    found: dict[str, list[SettingLine]] = {}
    for part in Settings.model_fields:
        inner = getattr(settings, part)
        if isinstance(inner, BaseModel):
            given = raw.get(part)
            found[part] = list(_part_lines(part, inner, given if isinstance(given, dict) else {}, environ, said))
    return found


def _part_lines(
    part: str,
    inner: BaseModel,
    given: Mapping[str, Any],
    environ: Mapping[str, str],
    said: Mapping[str, str],
) -> Iterator[SettingLine]:
    upper = {name.upper() for name in environ}
    for name in type(inner).model_fields:
        variable = f"SCRM_{part}__{name}".upper()
        origin: Origin = "env" if variable in upper else "file" if name in given else "default"
        yield SettingLine(
            key=f"{part}.{name}",
            value=_shown(getattr(inner, name)),
            origin=origin,
            variable=variable,
            says=said.get(f"{part}.{name}", ""),
        )


def secrets(settings: Settings) -> list[SecretLine]:
    """Every secret that the product or a configured app may have."""
    found = [
        SecretLine(
            variable="SCRM_SECRET_KEY",
            says="会话签名与加密",
            is_set=bool(settings.secret_key.get_secret_value()),
        ),
        SecretLine(
            variable="SCRM_DATA_KEYS",
            says="聊天内容加密，多把以逗号分隔，第一把用于加密",
            is_set=bool(settings.data_key_list),
        ),
        SecretLine(
            variable="SCRM_ADMIN_PASSWORD",
            says="首位管理员的密码",
            is_set=bool(settings.admin_password.get_secret_value()),
        ),
        SecretLine(
            variable="SCRM_DRAFT_KEY",
            says="回复草稿接口的密钥",
            is_set=bool(settings.draft_key.get_secret_value()),
        ),
    ]
    names = {"secret": "应用 Secret", "token": "回调 Token", "aes_key": "回调 EncodingAESKey"}
    for corp in settings.corps:
        for app in corp.apps:
            kept = settings.app_secrets.get(app.key)
            found += [
                SecretLine(
                    variable=secret_name(app.key, kind),
                    says=f"{app.name or app.key}：{names[kind]}",
                    is_set=kept is not None and getattr(kept, kind) is not None,
                )
                for kind in SECRET_KINDS
                if kind == "secret" or app.callback
            ]
    return found


def comments(file: Path = OUR_FILE) -> dict[str, str]:
    """What each key means, by its dotted name: the comments of the config.yaml that comes with the product."""
    if not file.is_file():
        return {}
    found: dict[str, str] = {}
    section = ""
    for line in file.read_text("utf-8").splitlines():
        bare = line.removeprefix("# ").replace("- ", "  ", 1) if section == "corps" else line
        if head := _SECTION.match(line.replace(": []", ":")):
            section = head[1]
        elif key := _KEY.match(bare):
            found[f"{section}.{key[1]}"] = key[2]
    return found


def _raw(file: Path | None) -> dict[str, Any]:
    if file is None or not file.is_file():
        return {}
    content = yaml.safe_load(file.read_text("utf-8"))
    return content if isinstance(content, dict) else {}


def _shown(value: object) -> str:
    """A value for people; user and password of an address are left out."""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, tuple):
        return "、".join(str(one) for one in value) or "（空）"
    text = USER_IN_URL.sub("://••••@", str(value))
    return text or "（空）"
