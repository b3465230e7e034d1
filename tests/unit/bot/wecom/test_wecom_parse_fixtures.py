"""Every stored callback becomes what its .json says, and every row of the registry has a stored callback."""

import dataclasses
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bot.wecom.element import read_body
from bot.wecom.parse import MAKERS, parse_callback
from bot.wecom.parse_bot import BOT_MAKERS
from crm_core.errors import CallbackAnomalous, CallbackUnsupported
from crm_core.ids import AppKey, CorpId

FOLDER = Path(__file__).parents[3] / "fixtures" / "callbacks"
CASES = sorted(path for path in FOLDER.rglob("*") if path.suffix in {".xml", ".json_body"})
RECEIVED_MS = 1_800_000_000_000


def read(body: bytes, receivers: list[str]) -> Any:
    return parse_callback(
        body,
        corp=CorpId("ww-test"),
        app=AppKey("main"),
        received_ms=RECEIVED_MS,
        key="sha256:1",
        expected_tousernames=receivers,
    )


def plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return json.loads(json.dumps(value))


def outcome_of(body: bytes, receivers: list[str]) -> dict[str, Any]:
    try:
        event = read(body, receivers)
    except (CallbackAnomalous, CallbackUnsupported) as error:
        return {"outcome": type(error).__name__, "reason": str(error)}
    common = {"corp", "app", "key", "received_ms", "cause"}
    fields = {one.name: plain(getattr(event, one.name)) for one in dataclasses.fields(event) if one.name not in common}
    assert (event.corp, event.app, event.key, event.received_ms, event.cause) == (
        "ww-test",
        "main",
        "sha256:1",
        RECEIVED_MS,
        "",
    )
    return {"outcome": type(event).__name__, "fields": fields}


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_stored_callback(path: Path) -> None:
    told = json.loads(path.with_suffix(".json").read_text("utf-8"))
    expected = {name: value for name, value in told.items() if name in {"outcome", "fields", "reason"}}
    assert outcome_of(path.read_bytes(), told["expected_tousernames"]) == expected


def kinds_seen() -> set[tuple[str, ...]]:
    seen: set[tuple[str, ...]] = set()
    for path in CASES:
        root = read_body(path.read_bytes())
        if root.has("msgtype"):
            seen.add((root.text("msgtype"), root.child("event").text("eventtype")))
        kind = (root.text("MsgType").lower(), root.text("Event").lower(), root.text("ChangeType").lower())
        seen.add(kind if kind[0] == "event" else (kind[0], "", ""))
    return seen


def test_every_registered_kind_has_a_stored_callback() -> None:
    assert set(MAKERS) <= kinds_seen()


def test_bot_registry_is_covered() -> None:
    plain_messages = {(kind, "") for kind in ("image", "voice", "file", "video")}  # one maker, told apart by name
    assert set(BOT_MAKERS) - plain_messages <= kinds_seen()
