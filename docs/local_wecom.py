"""The text of docs/local-wecom.md: what the local WeCom answers, what may be done to it, what may go wrong."""

import dataclasses
import inspect

from bot.sandbox.admin_acts import ACTS
from bot.sandbox.faults import API_KINDS, CALLBACK_KINDS, JSSDK_KINDS
from bot.sandbox.gate import ENDPOINTS
from bot.sandbox.options import Options

HEAD = """# The local WeCom

`python -m bot.sandbox`, or the left and right half of `scrm demo`. It speaks WeCom's API under `/cgi-bin/`, sends real
encrypted callbacks, and has a page at `/`: a customer's phone, a member's desktop with the product's sidebar in its
frame, a clock, faults, a log of everything said with decrypted bodies, and 演一天 (a day in about a minute).

Below `/sandbox/api/` tests and the page do what people do: `POST /sandbox/api/<act>` with JSON, callbacks leave after
the answer. `GET /sandbox/api/pulse`, `phone`, `desk`, `codes`, `log/api`, `log/callbacks`, `counters`, `play` look.
`POST /sandbox/api/play {"seed": 1, "seconds": 55}` plays the day of `bot/sandbox/seeds/day.yaml`; `DELETE` stops it.
"""


def local_wecom() -> str:
    """docs/local-wecom.md without the mark of generated files."""
    calls = [f"| `{path}` | {_first(end.run)} |" for path, end in sorted(ENDPOINTS.items())]
    own = inspect.getsource(Options)
    options = [
        f"| `{one.name}` | `{_default(one)}` | {_beside(own, one.name)} |" for one in dataclasses.fields(Options)
    ]
    return "\n".join(
        [
            HEAD,
            f"## Calls it answers ({len(ENDPOINTS)})",
            "",
            "Any other path answers 48001 and is marked in the log.",
            "",
            "| call | what it does |",
            "|---|---|",
            *calls,
            "",
            "## Acts of people",
            "",
            ", ".join(f"`{name}`" for name in sorted(ACTS)),
            "",
            "## Faults",
            "",
            '`POST /sandbox/api/faults {"match": "externalcontact/", "kind": "busy", "times": 3}`; see `faults.Rule`.',
            "",
            f"- API calls: {_named(API_KINDS)}",
            f"- callbacks (`callback`, `callback:<change type>`): {_named(CALLBACK_KINDS)}",
            f"- JS-SDK calls (`jssdk`, `jssdk:<call>`): {_named(JSSDK_KINDS)} with `reason`",
            "",
            "## Options",
            "",
            "`--option name=value`, or `PUT /sandbox/api/options`.",
            "",
            "| option | default | |",
            "|---|---|---|",
            *options,
        ]
    )


def _first(run: object) -> str:
    """The first sentence of an endpoint's docstring, without its own path."""
    text = " ".join((inspect.getdoc(run) or "").split())
    return text.partition(": ")[2].replace("|", "\\|") if ": " in text else ""


def _default(one: dataclasses.Field[object]) -> object:
    return one.default if one.default is not dataclasses.MISSING else one.default_factory()  # type: ignore[misc]


def _beside(source: str, name: str) -> str:
    """The comment that stands beside an option."""
    line = next(said for said in source.splitlines() if said.strip().startswith(f"{name}:"))
    return line.partition("  # ")[2].replace("|", "\\|")


def _named(kinds: frozenset[str]) -> str:
    return ", ".join(f"`{kind}`" for kind in sorted(kinds))
