"""Everything one local WeCom knows and does behind one lock: corps, people, tokens, clock, logs,
callbacks.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict, deque
from typing import Any

from bot.sandbox import ids
from bot.sandbox.clock import SandboxClock
from bot.sandbox.corp import Corp
from bot.sandbox.courier import Courier, Delivery
from bot.sandbox.events import Event
from bot.sandbox.faults import FaultBook
from bot.sandbox.model import App, ChatMessage, Grant, LoginCode, Person
from bot.sandbox.options import Options
from bot.sandbox.pacing import Pacing
from bot.sandbox.replies import apply_reply

_OLD_GRANTS = 10_000


class World:
    """The state of the local WeCom. Callers hold `lock` while they read or change records.

    Events raised under the lock are collected; whoever answers the request takes them with take_pending() and
    posts them once the answer is out, so that a callback never overtakes the answer that caused it.
    """

    def __init__(self, options: Options, clock: SandboxClock) -> None:
        self.options = options
        self.clock = clock
        self.lock = threading.RLock()
        self.faults = FaultBook()
        self.pacing = Pacing(options)
        self.courier = Courier(options, clock, self.faults, lambda delivery, body: apply_reply(self, delivery, body))
        self.base_url = ""
        self.version = 0
        self.delivery_ids = itertools.count(1)
        self.clear()

    def clear(self) -> None:
        """Forget everything but options, clock and address."""
        self.corps: dict[str, Corp] = {}
        self.persons: dict[str, Person] = {}
        self.grants: OrderedDict[str, Grant] = OrderedDict()
        self.login_codes: OrderedDict[str, LoginCode] = OrderedDict()
        self.api_log: deque[dict[str, Any]] = deque(maxlen=self.options.log_length)
        self.callback_log: deque[Delivery] = deque(maxlen=self.options.log_length)
        self.api_calls = itertools.count(1)
        self.duplicate_welcomes = 0
        self.pending: list[Delivery] = []
        self.faults.clear()
        self.pacing = Pacing(self.options)
        self.touch()

    def touch(self) -> None:
        """Note that something a page may show has changed."""
        self.version += 1

    # people and tokens
    def person(self, person_id: str) -> Person | None:
        """A person by id, None if unknown."""
        return self.persons.get(person_id)

    def external_id(self, corp: Corp, person: Person) -> str:
        """The id by which a corp knows a person; made on first use."""
        known = person.external_ids.get(corp.corp_id)
        if known is None:
            known = person.external_ids[corp.corp_id] = ids.external_user_id(person.kind)
        corp.person_of[known] = person.id
        return known

    def grant(self, corp: Corp, app: App) -> Grant:
        """The app's token: the same one while it is good, a new one after."""
        now = self.clock.now()
        for old in reversed(self.grants.values()):
            if old.corp_id == corp.corp_id and old.agentid == app.agentid and not old.revoked:
                if now < old.expires_at:
                    return old
                break
        made = Grant(ids.letters(86), corp.corp_id, app.agentid, now + self.options.token_ttl_seconds)
        self.grants[made.token] = made
        while len(self.grants) > _OLD_GRANTS:
            self.grants.popitem(last=False)
        return made

    def revoke(self, corp_id: str, agentid: int | None, errcode: int) -> int:
        """Make an app's (None: all apps') good tokens answer `errcode` from now on; how many there were."""
        struck = [
            g
            for g in self.grants.values()
            if g.corp_id == corp_id and not g.revoked and (agentid is None or g.agentid == agentid)
        ]
        for grant in struck:
            grant.revoked = errcode
        return len(struck)

    def new_login_code(self, made: LoginCode) -> LoginCode:
        """Keep a login code; old ones fall out after ten thousand."""
        self.login_codes[made.code] = made
        while len(self.login_codes) > _OLD_GRANTS:
            self.login_codes.popitem(last=False)
        return made

    # events
    def emit(self, corp: Corp, event: Event, *, by: int | None = None) -> None:
        """Address an event to the apps that subscribe and may see it; `by` is the app that caused it,
        left out.
        """
        created = self.clock.stamp()
        self.touch()
        for app in corp.apps.values():
            if not self._concerns(corp, app, event, by):
                continue
            told = _shortened(event) if app.is_contacts else event
            summary = " ".join(str(v) for _, v in event.fields[:2] if not isinstance(v, list))
            delivery = Delivery(
                next(self.delivery_ids),
                corp.corp_id,
                app,
                event.kind,
                event.change_type,
                summary,
                told.inner_xml(corp.corp_id, created),
                self.clock.now(),
            )
            self.callback_log.append(delivery)
            self.pending.append(delivery)

    def _concerns(self, corp: Corp, app: App, event: Event, by: int | None) -> bool:
        if event.to_agentid is not None:
            return app.agentid == event.to_agentid and "app" in app.subscriptions
        if event.topic not in app.subscriptions or app.disabled:
            return False
        if by == app.agentid and not self.options.own_changes_call_back:
            return False
        if event.kind.startswith("change_external") and (app.is_contacts or not app.callable):
            return False
        members = [m for m in (corp.member(u) for u in event.about) if m]
        return not members or any(corp.sees(app, m) for m in members)

    def take_pending(self) -> list[Delivery]:
        """The deliveries collected since the last call; the caller posts them after its answer."""
        taken, self.pending = self.pending, []
        self.courier.announce(len(taken))
        return taken

    # conversations
    def say(
        self,
        line: deque[ChatMessage],
        sender: str,
        msgtype: str,
        body: dict[str, Any],
        via: str,
        author: str = "",
    ) -> ChatMessage:
        """Append a message to a conversation, with a random message id."""
        message = ChatMessage(ids.message_id(), self.clock.now(), sender, msgtype, body, via, author)
        line.append(message)
        self.touch()
        return message


def _shortened(event: Event) -> Event:
    """What the contacts assistant still gets since 2022-08-15: UserID and Department, ids of departments."""
    kept = [(n, v) for n, v in event.fields if n in {"UserID", "NewUserID", "Department", "Id", "ParentId"}]
    return Event(event.kind, event.change_type, kept, event.sender, event.about, event.to_agentid)
