"""``scrm eval sensitive`` and ``scrm eval false-alarms`` on files of one's own."""

from pathlib import Path

from click.testing import CliRunner, Result

from bot.cli_eval import evaluate

CASES = (
    "id\tkind\tdictionary\toptions\tinput\texpected",
    "a\tfull width\tdamn\t\tＤＡＭＮ\tＤＡＭＮ",
    "b\tdigits\t下三滥\tignoreNumStyle=false\t下3滥\t下3滥",
    'c\tquotes\t飞单\t\t他说"飞单\t飞单',
)


def run(tmp_path: Path, command: str, lines: tuple[str, ...], *more: str) -> Result:
    file = tmp_path / "given.tsv"
    file.write_text("\n".join(lines), "utf-8")
    return CliRunner().invoke(evaluate, [command, str(file), *more])


def test_each_case_is_told_right_or_wrong_by_kind(tmp_path: Path):
    told = run(tmp_path, "sensitive", CASES)
    assert told.exit_code == 0
    assert "✓ a" in told.output
    assert "✗ b" in told.output
    assert "1/1  full width" in told.output
    assert "合计：2 / 3 正确" in told.output


def test_a_file_without_the_columns_is_refused_in_words(tmp_path: Path):
    told = run(tmp_path, "sensitive", ("x\ty", "1\t2"))
    assert told.exit_code == 1
    assert "文件应有这些列" in told.output


def test_false_alarms_by_category_with_examples(tmp_path: Path):
    told = run(tmp_path, "false-alarms", ("id\tmessage", "1\t您好", "2\t这单我们私下转账", "3\t在吗", "4\t好的"))
    assert "命中 1 条，占 25.000%" in told.output
    assert "飞单与私下收款：1 条" in told.output
    assert "这单我们私下转账" in told.output


def test_the_column_may_be_named(tmp_path: Path):
    lines = ("id\twords", "1\t您好")
    assert "没有找到消息列" in run(tmp_path, "false-alarms", lines).output
    assert "消息 1 条，命中 0 条" in run(tmp_path, "false-alarms", lines, "--column", "words").output
