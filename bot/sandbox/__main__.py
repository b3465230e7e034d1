"""`python -m bot.sandbox`: run the local WeCom until interrupted."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bot.sandbox.company import ENVIRONMENT, Company
from bot.sandbox.options import Options
from bot.sandbox.server import SandboxServer


def _options(pairs: tuple[str, ...]) -> Options:
    options = Options()
    try:
        options.change({name: json.loads(value) for name, _, value in (pair.partition("=") for pair in pairs)})
    except ValueError as fault:
        raise click.BadParameter(str(fault)) from fault
    return options


@click.command(help="本地企业微信：演示与测试用，会说企业微信的服务端接口，也会发真实的加密回调。")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8701, show_default=True, help="0 takes a free port")
@click.option("--seed", default="builtin", show_default=True, help="builtin, or a YAML file of the same form")
@click.option("--second", is_flag=True, help="also the built-in dealer's corp")
@click.option("--clock-file", type=click.Path(path_type=Path), help="JSON file the product's clock follows")
@click.option("--public-url", default="", help="what QR codes and links say, when not the bound address")
@click.option("--corp-id", default="", envvar=ENVIRONMENT["corp_id"])
@click.option("--secret", default="", envvar=ENVIRONMENT["secret"], help="better by environment")
@click.option("--contacts-secret", default="", envvar=ENVIRONMENT["contacts_secret"])
@click.option("--callback-url", default="", envvar=ENVIRONMENT["callback_url"])
@click.option("--token", default="", envvar=ENVIRONMENT["token"], help="callback token")
@click.option("--aes-key", default="", envvar=ENVIRONMENT["aes_key"], help="EncodingAESKey, 43 characters")
@click.option("--sidebar-url", default="", envvar=ENVIRONMENT["sidebar_url"])
@click.option("--sign-out-url", default="", envvar=ENVIRONMENT["sign_out_url"])
@click.option("--option", "pairs", multiple=True, help="name=JSON value, see options.py; may be repeated")
def main(
    *,
    host: str,
    port: int,
    seed: str,
    second: bool,
    clock_file: Path | None,
    public_url: str,
    pairs: tuple[str, ...],
    **fixed: str,
) -> None:
    company = Company.builtin(second=second) if seed == "builtin" else Company.from_yaml(Path(seed))
    company.settle(fixed)
    server = SandboxServer(
        company, options=_options(pairs), host=host, port=port, clock_file=clock_file, public_url=public_url
    )
    server.start()
    app = server.app
    click.echo(f"本地企业微信 {server.url}/  corp_id={server.corp_id}  agentid={app.agentid}")
    click.echo(f"密钥：GET {server.url}/sandbox/api/corps/{server.corp_id}/apps/{app.agentid}")
    try:
        server.wait()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()
