"""``scrm eval``: how good the product is at something, on a folder of labelled examples."""

import click

from bot.cli_eval_scripts import scripts
from bot.cli_eval_sensitive import false_alarms, sensitive
from bot.cli_eval_tags import tags


@click.group("eval")
def evaluate() -> None:
    """用带标注的样例衡量效果（也可用于自己导出的数据）。"""


evaluate.add_command(scripts)
evaluate.add_command(tags)
evaluate.add_command(sensitive)
evaluate.add_command(false_alarms)
