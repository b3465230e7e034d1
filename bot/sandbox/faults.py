"""Faults on order: what may go wrong between WeCom and the product, switched on by rule."""

from __future__ import annotations

import itertools
import random
import threading
from dataclasses import asdict, dataclass
from typing import Any

API_KINDS = frozenset({"latency", "http_500", "errcode", "busy", "drop_after", "drop_before"})
CALLBACK_KINDS = frozenset({"latency", "delay", "repeat", "shuffle", "drop_before", "unreachable"})
JSSDK_KINDS = frozenset({"fail"})


@dataclass(slots=True)
class Rule:
    """One fault.

    match: beginning of an API path (`externalcontact/`), or `callback`, or `callback:<Event or ChangeType>`, or
    `jssdk`, or `jssdk:<call>`.
    kind: latency, http_500, errcode, busy, drop_after, drop_before for APIs; latency, delay, repeat, shuffle,
    drop_before (the event is lost), unreachable (no connection, so it is tried again and fails) for callbacks;
    fail with `reason` for JS-SDK calls. times: how often it fires (None: for ever); probability 0
    to 1. ms: milliseconds of latency or delay, or how long shuffle waits for its window to fill.
    """

    id: int
    match: str
    kind: str
    times: int | None = None
    probability: float = 1.0
    ms: int = 0
    code: int = -1
    n: int = 1
    window: int = 5
    reason: str = ""
    fired: int = 0

    def as_json(self) -> dict[str, Any]:
        """The rule as the admin API shows it."""
        return asdict(self)


class FaultBook:
    """The rules in force. Safe to use from many threads."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._dice = random.Random(20260101)

    def add(self, spec: dict[str, Any]) -> Rule:
        """Put a rule in force; ValueError names what is wrong with it."""
        match, kind = str(spec.get("match", "")), str(spec.get("kind", ""))
        allowed = {"callback": CALLBACK_KINDS, "jssdk": JSSDK_KINDS}.get(match.partition(":")[0], API_KINDS)
        if kind not in allowed:
            raise ValueError(f"kind {kind!r} is none of {sorted(allowed)} for match {match!r}")
        rule = Rule(next(self._ids), match.removeprefix("/cgi-bin/"), kind)
        times = spec.get("times")
        rule.times = None if times is None else int(times)
        rule.probability = float(spec.get("probability", 1.0))
        rule.ms, rule.code = int(spec.get("ms", 0)), int(spec.get("code", -1))
        rule.n, rule.window = int(spec.get("n", 1)), int(spec.get("window", 5))
        rule.reason = str(spec.get("reason", "")) or "no permission"
        with self._lock:
            self._rules.append(rule)
        return rule

    def remove(self, rule_id: int) -> bool:
        """Lift one rule; False if there was none."""
        with self._lock:
            before = len(self._rules)
            self._rules = [r for r in self._rules if r.id != rule_id]
            return len(self._rules) < before

    def clear(self) -> None:
        """Lift all rules."""
        with self._lock:
            self._rules.clear()

    def rules(self) -> list[Rule]:
        """The rules in force."""
        with self._lock:
            return list(self._rules)

    def firing_for_api(self, path: str) -> list[Rule]:
        """The rules that strike this call (each counts as fired)."""
        if not self._rules:
            return []
        return self._fire(lambda rule: not rule.match.startswith(("callback", "jssdk")) and path.startswith(rule.match))

    def firing_for_jssdk(self, call: str) -> list[Rule]:
        """The rules that strike this JS-SDK call (each counts as fired)."""
        return self._fire(lambda rule: rule.match in {"jssdk", f"jssdk:{call}"}) if self._rules else []

    def firing_for_callback(self, event: str, change_type: str) -> list[Rule]:
        """The rules that strike this delivery (each counts as fired)."""
        if not self._rules:
            return []
        names = {"callback", f"callback:{event}", f"callback:{change_type}"}
        return self._fire(lambda rule: rule.match in names)

    def _fire(self, concerns: Any) -> list[Rule]:
        struck = []
        with self._lock:
            for rule in self._rules:
                if not concerns(rule) or (rule.times is not None and rule.fired >= rule.times):
                    continue
                if self._dice.random() < rule.probability:
                    rule.fired += 1
                    struck.append(rule)
        return struck
