"""Writes docs/commands.md, docs/configuration.md, docs/events.md and docs/local-wecom.md from the product itself.

``python -m docs.generate`` from the root; ``--check`` writes nothing and fails when a file is not up to date.
"""

import dataclasses
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bot.cli import main as scrm
from crm_core import events
from crm_core.config import OWN_SECRETS, AppPart, CorpPart, Settings
from crm_core.config_archive import ArchivePart
from crm_core.config_origins import comments as config_comments
from docs.local_wecom import local_wecom

ROOT = Path(__file__).resolve().parents[1]
MARK = "<!-- Written by docs/generate.py from the source; run `python -m docs.generate` instead of editing. -->"
BOUNDS = {"Ge": "≥ {ge}", "Gt": "> {gt}", "Le": "≤ {le}", "Lt": "< {lt}", "MinLen": "length ≥ {min_length}",
          "MaxLen": "length ≤ {max_length}"}  # fmt: skip
SECRET_PARTS = {*OWN_SECRETS, "app_secrets"}
VARIABLES = {
    "SCRM_SECRET_KEY": "Signs sessions and encrypts; at least 32 characters. Required.",
    "SCRM_DRAFT_KEY": "Key of the endpoint that words reply drafts (`draft.base_url`); unset: none is sent.",
    "SCRM_DATA_KEYS": "Keys that chat content is sealed with, 32 characters or more each, by commas; the first seals,"
    " all open. Unset: a key derived from `SCRM_SECRET_KEY`. After a change run `scrm keys rotate`.",
    "SCRM_ADMIN_PASSWORD": "Password of the console's first admin; at least 12 characters. Unset: no password sign-in.",
    "SCRM_<KEY>_SECRET": "Secret of the app with this key (应用 Secret), e.g. `SCRM_MAIN_SECRET`.",
    "SCRM_<KEY>_TOKEN": "Callback token of the app (回调 Token): up to 32 letters and digits.",
    "SCRM_<KEY>_AES_KEY": "Callback key of the app (EncodingAESKey): 43 letters and digits.",
    "SCRM_<KEY>_PRIVATE_KEY_<VERSION>": "Private key of the chat archive (会话存档), PEM (`\\n` for line ends).",
    "SCRM_<KEY>_PROXY_PASSWORD": "`user:pass` of the archive's proxy.",
    "SCRM_<PART>__<NAME>": "Overrides one key of `config.yaml`, e.g. `SCRM_SERVER__PORT=8000` for `server.port`.",
    "SCRM_CONFIG_FILE": "Path of the configuration file; default `config.yaml`. The option `--config` goes first.",
    "SCRM_LOG_LEVEL": "`debug`, `info` (default), `warning` or `error`. Logs are JSON lines on stderr.",
    "SCRM_ROLE": "Set by `scrm serve` and `scrm web` for their own web processes; not for people.",
}
SANDBOX_VARIABLES = {
    "SANDBOX_CORP_ID": "Corp id of the first corp (企业 ID).",
    "SANDBOX_SECRET": "Secret of its first app.",
    "SANDBOX_CONTACTS_SECRET": "Secret of the directory sync (通讯录同步).",
    "SANDBOX_CALLBACK_URL": "Where the first app's callbacks go.",
    "SANDBOX_TOKEN": "Callback token.",
    "SANDBOX_AES_KEY": "Callback key, 43 characters.",
    "SANDBOX_SIDEBAR_URL": "Page that the sidebar (侧边栏) shows.",
    "SANDBOX_SIGN_OUT_URL": "Page that signs the sidebar's user out.",
}


def commands() -> str:
    """docs/commands.md."""
    lines = [MARK, "", "# Commands", "", "`scrm` is the one command of the product; `python -m bot` is the same.", ""]
    with click.Context(scrm, info_name="scrm") as context:
        for path, command, inner in _walk(context, scrm, "scrm"):
            lines += [f"## `{path}`", "", command.help or "", "", *_parameters(command, inner)]
    return "\n".join(lines)


def _walk(
    context: click.Context, command: click.Command, path: str
) -> Iterator[tuple[str, click.Command, click.Context]]:
    yield path, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from _walk(click.Context(found, context, info_name=name), found, f"{path} {name}")


def _parameters(command: click.Command, context: click.Context) -> list[str]:
    rows = [_row(parameter.to_info_dict(), parameter.get_help_record(context)) for parameter in command.params]
    return ["| argument or option | meaning |", "|---|---|", *rows, ""] if rows else []


def _row(facts: dict[str, Any], record: tuple[str, str] | None) -> str:
    if record is None:
        return f"| `{str(facts['name']).upper()}` | {facts['type'].get('name', '')} |"
    return f"| `{record[0].replace('|', ', ')}` | {record[1]} |"


def configuration() -> str:
    """docs/configuration.md."""
    comments = config_comments()
    lines = [MARK, "", "# Configuration", "", _flat(inspect.getdoc(inspect.getmodule(Settings)) or ""), ""]
    for part, info in Settings.model_fields.items():
        kind = info.annotation
        if part in SECRET_PARTS or not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            continue
        lines += [f"## `{part}`", "", _flat(kind.__doc__ or ""), "", *_keys(kind, part, comments)]
    for title, kind in (("corps[]", CorpPart), ("corps[].apps[]", AppPart), ("corps[].archive", ArchivePart)):
        lines += [f"## `{title}`", "", _flat(kind.__doc__ or ""), "", *_keys(kind, "corps", comments)]
    lines += ["## Environment variables", "", *_table(VARIABLES)]
    lines += ["## Environment variables of the local WeCom (`python -m bot.sandbox`)", "", *_table(SANDBOX_VARIABLES)]
    return "\n".join(lines)


def _keys(kind: type[BaseModel], part: str, comments: dict[str, str]) -> list[str]:
    rows = [
        f"| `{name}` | {_type(info)} | {_default(info)} | {comments.get(f'{part}.{name}', '')} |"
        for name, info in kind.model_fields.items()
    ]
    return ["| key | type | default | 说明 |", "|---|---|---|---|", *rows, ""]


def _type(info: FieldInfo) -> str:
    name = inspect.formatannotation(info.annotation).replace("typing.", "").replace("crm_core.config.", "")
    bounds = [
        BOUNDS[type(one).__name__].format(**{key: getattr(one, key) for key in dataclasses.asdict(one)})
        for one in info.metadata
        if type(one).__name__ in BOUNDS
    ]
    return f"{name}{', ' if bounds else ''}{', '.join(bounds)}".replace("|", "\\|")


def _default(info: FieldInfo) -> str:
    value = info.get_default(call_default_factory=True)
    return "required" if value is PydanticUndefined else f"`{value!r}`"


def event_list() -> str:
    """docs/events.md."""
    lines = [MARK, "", "# Events", "", _flat(inspect.getdoc(events) or ""), ""]
    for name, kind in vars(events).items():
        if inspect.isclass(kind) and issubclass(kind, events.Event) and kind.__module__ == events.__name__:
            own = [one for one in dataclasses.fields(kind) if one.name in kind.__annotations__]
            base = "" if kind is events.Event else f" ← `{kind.__bases__[0].__name__}`"
            rows = [f"- `{one.name}`: `{_annotation(one.type)}`" for one in own]
            lines += [f"## `{name}`{base}", "", _flat(inspect.getdoc(kind) or ""), "", *rows, *([""] if rows else [])]
    return "\n".join(lines)


def _annotation(kind: Any) -> str:
    return inspect.formatannotation(kind).replace("crm_core.ids.", "").replace("crm_core.ports.", "")


def _table(rows: dict[str, str]) -> list[str]:
    return ["| variable | meaning |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in rows.items()), ""]


def _flat(text: str) -> str:
    return inspect.cleandoc(text)


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail when a file is not up to date.")
def write(*, check: bool) -> None:
    """Write the four files."""
    stale = []
    sandbox = f"{MARK}\n\n{local_wecom()}"
    files = {"commands": commands(), "configuration": configuration(), "events": event_list(), "local-wecom": sandbox}
    for name, text in files.items():
        file = ROOT / "docs" / f"{name}.md"
        wanted = text.rstrip() + "\n"
        if not file.is_file() or file.read_text("utf-8") != wanted:
            stale.append(f"docs/{name}.md")
            if not check:
                file.write_text(wanted, "utf-8")
    if check and stale:
        raise click.ClickException(f"not up to date: {', '.join(stale)}; run python -m docs.generate")


if __name__ == "__main__":
    write()
