"""Who may import whom (pyproject.toml, [tool.importlinter]): the contracts hold, and each of them can break."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOMS, ROOT

LINT = (str(Path(sys.executable).with_name("lint-imports")), "--no-cache")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(LINT, cwd=folder, capture_output=True, text=True, check=False)


def test_all_contracts_hold() -> None:
    answer = lint(ROOT)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(
    ("place", "line", "contract"),
    [
        ("crm_core/staff.py", "import sop.service", "rooms are stacked"),
        ("tagging/service.py", "import materials.service", "rooms are stacked"),
        ("sop/service.py", "import bot.qr", "rooms are stacked"),
        ("crm_core/clock.py", "import crm_core.db", "inside crm_core"),
        ("crm_core/helpers.py", "", "inside crm_core"),
        ("sop/service.py", "import flask", "no web framework and no wire"),
        ("crm_core/staff.py", "import httpx", "no web framework and no wire"),
        ("bot/sender.py", "import bot.wecom.client", "touch the WeCom adapter"),
        ("sidebar/views.py", "import crm_core.tables", "tables are private: fronts"),
        ("bot/jobs.py", "import sop.tables", "tables are private: fronts"),
        ("sop/engine.py", "import tagging.tables", "tables are private: sop"),
        ("materials/service.py", "import crm_core.tables", "tables are private: materials and tagging"),
        ("bot/jobs.py", "import bot.tables", "belongs to the composition root"),
        ("sop/schedule.py", "import sqlalchemy", "pure modules do no I/O"),
        ("bot/sandbox/clock.py", "import crm_core.clock", "knows nothing of the product"),
        ("bot/app.py", "import bot.sandbox.server", "only the demo starts"),
    ],
)
def test_each_contract_can_break(tmp_path: Path, place: str, line: str, contract: str) -> None:
    for room in ROOMS:
        shutil.copytree(
            ROOT / room,
            tmp_path / room,
            ignore=lambda _, names: [n for n in names if "." in n and not n.endswith(".py")],
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / place).open("a") as file:
        file.write(f"\n{line}\n")
    answer = lint(tmp_path)
    broken = [said for said in answer.stdout.splitlines() if " BROKEN" in said]
    assert any(contract in said for said in broken), answer.stdout


def test_the_local_wecom_imports_nothing_else_of_bot() -> None:
    from tests.architecture.sources import sources

    for source in sources(("bot/sandbox",)):
        for said in source.text.splitlines():
            words = said.split()
            if words[:1] in (["from"], ["import"]) and words[1].split(".")[0] in ROOMS:
                assert words[1] == "bot.sandbox" or words[1].startswith("bot.sandbox."), f"{source.place}: {said}"
