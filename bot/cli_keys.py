"""``scrm keys``: the keys that chat content is sealed with."""

import secrets

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from bot.ciphers import open_cipher
from bot.cli_data import open_house
from crm_core.chat import resealing
from crm_core.chat.resealing import Place, SealedColumn

NEW_KEY_BYTES = 36
SEALED = (
    SealedColumn("chat_messages", "content"),
    SealedColumn("sensitive_hits", "content"),
    SealedColumn("sensitive_trials", "examples"),
    SealedColumn("script_lessons", "said"),
    SealedColumn("script_gaps", "label"),
)
"""Everything that the cipher of ``bot.ciphers`` seals, besides the small secrets; a test knows every binary column."""


@click.group()
def keys() -> None:
    """聊天内容的加密密钥：生成、轮换。"""


@keys.command()
def new() -> None:
    """生成一把新密钥，放到 SCRM_DATA_KEYS 的最前面（旧的留在后面），重启后运行 scrm keys rotate。"""
    click.echo(secrets.token_urlsafe(NEW_KEY_BYTES))


@keys.command()
@click.pass_context
def rotate(ctx: click.Context) -> None:
    """用 SCRM_DATA_KEYS 的第一把密钥重新加密全部聊天内容；可随时中断，再次运行会从断点继续。"""
    house = open_house(ctx)
    cipher = open_cipher(house.settings)
    with house.db.reading() as session:
        total = resealing.total(session, SEALED)
        at: Place | None = resealing.place(session, cipher)
    with house.db.unit() as uow:
        resealing.reseal_secrets(uow, cipher)
        uow.commit()
    lost: list[str] = []
    columns = (TextColumn("重新加密"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        shown = progress.add_task("", total=total or None)
        while at is not None:
            with house.db.unit() as uow:
                told = resealing.reseal(uow, cipher, SEALED, at)
                uow.commit()
            lost += told.unreadable
            progress.advance(shown, told.done)
            at = told.following
    if lost:
        some = "、".join(lost[:10])
        click.echo(f"有 {len(lost)} 条内容没有密钥能打开，未重新加密（{some}）。")
        click.echo("请把当时的密钥加回 SCRM_DATA_KEYS 后再运行。")
        ctx.exit(1)
    click.echo("全部聊天内容已用第一把密钥加密；确认运行正常后，可以从 SCRM_DATA_KEYS 去掉旧密钥")
