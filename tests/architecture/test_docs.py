"""The documents follow the product: every key, command, option, event and variable is in them."""

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
import yaml
from pydantic import BaseModel

from bot.cli import main as scrm
from crm_core import events
from crm_core.config import AppPart, CorpPart, Settings
from docs.generate import SECRET_PARTS, config_comments
from tests.architecture.sources import ROOMS, ROOT, sources

CONFIG = ROOT / "config.yaml"
VARIABLE = re.compile(r"\b(?:SCRM|SANDBOX)_[A-Z_]*[A-Z]\b")
SECRET = re.compile(r"^SCRM_(MAIN|CONTACTS|ARCHIVE)_(SECRET|TOKEN|AES_KEY)$")


def document(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text("utf-8")


def keys() -> Iterator[tuple[str, str]]:
    for part, info in Settings.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel) and part not in SECRET_PARTS:
            yield from ((part, name) for name in kind.model_fields)


def commands(command: click.Command, path: str = "scrm") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, f"{path} {name}")


def test_the_generated_documents_are_up_to_date() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "docs.generate", "--check"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(("part", "name"), list(keys()))
def test_every_key_stands_in_the_configuration_file_with_its_default_and_a_comment(part: str, name: str) -> None:
    given = yaml.safe_load(CONFIG.read_text("utf-8"))[part][name]
    default = getattr(getattr(Settings(), part), name)
    assert (tuple(given) if isinstance(given, list) else given) == default
    assert config_comments().get(f"{part}.{name}"), f"{part}.{name} has no comment"


@pytest.mark.parametrize("name", [*CorpPart.model_fields, *AppPart.model_fields])
def test_every_key_of_a_corp_and_an_app_stands_in_the_example(name: str) -> None:
    assert re.search(rf"^#[ -]+{name}:", CONFIG.read_text("utf-8"), re.MULTILINE)
    assert f"| `{name}` |" in document("configuration")


def test_the_configuration_file_has_no_key_that_nobody_reads() -> None:
    assert set(yaml.safe_load(CONFIG.read_text("utf-8"))) == set(Settings.model_fields) - SECRET_PARTS


@pytest.mark.parametrize(
    ("path", "command"), list(commands(scrm)), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_and_option_is_documented(path: str, command: click.Command) -> None:
    section = document("commands").partition(f"## `{path}`\n")[2].partition("\n## ")[0]
    assert command.help
    assert command.help in section
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.opts[0] in section
            assert parameter.help, f"{path} {parameter.opts[0]} has no help"
        else:
            assert parameter.make_metavar(click.Context(command)).replace("|", ", ") in section


def test_every_event_is_documented() -> None:
    text = document("events")
    for name, kind in vars(events).items():
        if inspect.isclass(kind) and issubclass(kind, events.Event):
            assert f"## `{name}`" in text


def test_every_environment_variable_is_documented() -> None:
    text = document("configuration")
    found = {name for source in sources(ROOMS) for name in VARIABLE.findall(source.text)}
    assert {"SCRM_SECRET_KEY", "SANDBOX_TOKEN"} <= found
    named = {name for name in found if not SECRET.match(name) and "__" not in name and name != "SCRM_"}
    assert [name for name in sorted(named) if f"`{name}`" not in text] == []
