"""Companies to fill a local WeCom with: the built-in one, a YAML file, or a plain description from a test."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from bot.sandbox import crypto, ids
from bot.sandbox.archive_book import ArchiveBook
from bot.sandbox.archive_seal import ArchiveKey
from bot.sandbox.corp import Corp
from bot.sandbox.model import (
    ARCHIVE_AGENTID,
    App,
    Callback,
    Department,
    Follow,
    Group,
    GroupMember,
    Person,
    Staff,
    Tag,
    TagGroup,
)
from bot.sandbox.records import KfAccount, Servicer
from bot.sandbox.world import World

_SEED = Path(__file__).parent / "seeds" / "yunfan.yaml"
CONTACT_TOPICS = (
    "change_external_contact",
    "change_external_chat",
    "change_external_tag",
    "change_contact",
    "customer_acquisition",
    "kf_msg_or_event",
    "app",
)
ENVIRONMENT = {
    "corp_id": "SANDBOX_CORP_ID",
    "secret": "SANDBOX_SECRET",
    "contacts_secret": "SANDBOX_CONTACTS_SECRET",
    "callback_url": "SANDBOX_CALLBACK_URL",
    "token": "SANDBOX_TOKEN",
    "aes_key": "SANDBOX_AES_KEY",
    "sidebar_url": "SANDBOX_SIDEBAR_URL",
    "sign_out_url": "SANDBOX_SIGN_OUT_URL",
}


@dataclass(slots=True)
class Company:
    """One or more corps to be. `corps` is a list of descriptions in the form of seeds/yunfan.yaml.

    Unguessable ids are filled in once, so a reset brings back the same corp_id, secrets, token and key.
    """

    corps: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.corps = [_completed(spec) for spec in self.corps]

    @classmethod
    def builtin(cls, *, second: bool = False) -> Company:
        """云帆家居; with `second` also a dealer's corp that shares one person with it."""
        seed = _seed()
        return cls(seed["corps"] + (seed["second"] if second else []))

    @classmethod
    def from_yaml(cls, path: Path) -> Company:
        """A company from a YAML file of the same form."""
        return cls(yaml.safe_load(path.read_text("utf-8"))["corps"])

    def open_archive(self, callback_url: str = "") -> Company:
        """Give the first corp a chat archive (会话内容存档) with a secret, a callback and a key pair."""
        spec = self.corps[0].setdefault("archive", {})
        spec.setdefault("secret", ids.secret())
        spec.setdefault("pem", ArchiveKey(1).private_pem)
        spec["callback"] = _callback({**spec.get("callback", {}), "url": callback_url})
        return self

    def settle(self, values: Mapping[str, str]) -> Company:
        """Give the first corp and its first app fixed values; keys as in ENVIRONMENT,
        empty ones are ignored.
        """
        corp = self.corps[0]
        app = corp["apps"][0]
        given = {name: value for name, value in values.items() if value}
        corp["corp_id"] = given.get("corp_id", corp["corp_id"])
        corp["contacts_secret"] = given.get("contacts_secret", corp["contacts_secret"])
        app["secret"] = given.get("secret", app["secret"])
        for name in ("sidebar_url", "sign_out_url"):
            app[name] = given.get(name, app.get(name, ""))
        app["callback"] = {
            "url": given.get("callback_url", app["callback"]["url"]),
            "token": given.get("token", app["callback"]["token"]),
            "aes_key": given.get("aes_key", app["callback"]["aes_key"]),
        }
        crypto.key_bytes(app["callback"]["aes_key"])
        return self

    def settle_from_environment(self) -> Company:
        """As settle, with the SANDBOX_… variables."""
        return self.settle({name: os.environ.get(variable, "") for name, variable in ENVIRONMENT.items()})


@lru_cache(maxsize=1)
def _seed() -> dict[str, Any]:
    """The built-in description, read once; Company copies what it takes."""
    read: dict[str, Any] = yaml.safe_load(_SEED.read_text("utf-8"))
    return read


def _completed(spec: dict[str, Any]) -> dict[str, Any]:
    full = copy.deepcopy(spec)
    full.setdefault("corp_id", ids.corp_id())
    full.setdefault("contacts_secret", ids.secret())
    full["contacts_callback"] = _callback(full.get("contacts_callback", {}))
    for app in full.setdefault("apps", []):
        app.setdefault("secret", ids.secret())
        app["callback"] = _callback(app.get("callback", {}))
    return full


def _callback(given: dict[str, str]) -> dict[str, str]:
    return {
        "url": given.get("url", ""),
        "token": given.get("token") or ids.callback_token(),
        "aes_key": given.get("aes_key") or crypto.new_aes_key(),
    }


def populate(world: World, company: Company) -> None:
    """Fill an empty world. Raises no events: this is how things stood before anybody listened."""
    for spec in company.corps:
        corp = Corp(spec["corp_id"], spec["name"], bound=spec.get("bound", True), medical=spec.get("medical", False))
        world.corps[corp.corp_id] = corp
        _directory(corp, spec)
        _apps(corp, spec)
        if "archive" in spec:
            _archive(corp, spec["archive"])
        _tags(world, corp, spec)
        for one in spec.get("customers", []):
            _customer(world, corp, one)
        for one in spec.get("groups", []):
            _group(world, corp, one)
        for one in spec.get("kf_accounts", []):
            account = KfAccount(ids.opaque("wk", 28), one["name"])
            account.servicers = {userid: Servicer(userid) for userid in one["servicers"]}
            corp.kf_accounts[account.open_kfid] = account
    world.touch()


def _directory(corp: Corp, spec: dict[str, Any]) -> None:
    for one in spec.get("departments", [{"id": 1, "name": spec["name"], "parent": 0}]):
        corp.departments[one["id"]] = Department(one["id"], one["name"], one["parent"])
    for one in spec.get("staff", []):
        member = Staff(seq=next(corp.seq), **one)
        corp.staff[member.userid.lower()] = member
        for department_id in member.leads:
            corp.departments[department_id].leaders.append(member.userid)


def _apps(corp: Corp, spec: dict[str, Any]) -> None:
    contacts = App(0, "通讯录同步", spec["contacts_secret"], callable=False, subscriptions={"change_contact"})
    contacts.callback = Callback(**spec["contacts_callback"])
    corp.apps[0] = contacts
    for one in spec["apps"]:
        rest = {k: v for k, v in one.items() if k not in {"callback", "subscriptions"}}
        app = App(**rest)
        app.callback = Callback(**one["callback"])
        app.subscriptions = set(one.get("subscriptions", CONTACT_TOPICS))
        corp.apps[app.agentid] = app


def _archive(corp: Corp, spec: dict[str, Any]) -> None:
    """The archive and its app, whose secret the msgaudit calls use."""
    app = App(ARCHIVE_AGENTID, "会话内容存档", spec["secret"], callable=False, subscriptions={"msgaudit_notify"})
    app.callback = Callback(**spec["callback"])
    corp.apps[app.agentid] = app
    corp.archive = ArchiveBook(ArchiveKey(1, spec["pem"]))


def _tags(world: World, corp: Corp, spec: dict[str, Any]) -> None:
    now = world.clock.stamp() - 100 * 86400
    for place, one in enumerate(spec.get("tag_groups", [])):
        group = TagGroup(ids.opaque("et"), one["name"], now, order=100 - place)
        corp.groups_of_tags[group.id] = group
        for name in one["tags"]:
            tag = Tag(ids.opaque("et"), name, now)
            group.tags[tag.id] = tag
            corp.tag_home[tag.id] = group.id


def new_person(world: World, name: str, *, kind: int = 1, unionid: str = "", **rest: Any) -> Person:
    """Make a person; unionid "" means that WeCom does not tell one."""
    made = Person(ids.opaque("p_", 12), name, kind, unionid=unionid, openid=ids.opaque("o", 27), **rest)
    world.persons[made.id] = made
    return made


def _customer(world: World, corp: Corp, one: dict[str, Any]) -> None:
    rest = {k: one[k] for k in ("gender", "position", "corp_name", "corp_full_name") if k in one}
    known = next((p for p in world.persons.values() if p.name == one["name"] and one.get("unionid")), None)
    unionid = ids.opaque("o", 27) if one.get("unionid") is True else str(one.get("unionid") or "")
    person = known or new_person(world, one["name"], kind=one.get("kind", 1), unionid=unionid, **rest)
    external = world.external_id(corp, person)
    names = {t.name: t.id for g in corp.groups_of_tags.values() for t in g.tags.values()}
    for link in one.get("follows", []):
        by_customer = link.get("add_way", 1) in {1, 16}
        follow = Follow(
            next(corp.seq),
            link["userid"],
            external,
            person.id,
            world.clock.stamp() - int(link.get("days_ago", 0) * 86400),
            remark=link.get("remark", ""),
            remark_mobiles=list(link.get("mobiles", [])),
            add_way=link.get("add_way", 1),
            oper_userid=external if by_customer else link["userid"],
            state=link.get("state", ""),
            tags={names[name]: 0 for name in link.get("tags", [])},
            personal_tags=list(link.get("personal_tags", [])),
            left_by_customer=link.get("left", False),
        )
        corp.add_follow(follow)


def _group(world: World, corp: Corp, one: dict[str, Any]) -> None:
    created = world.clock.stamp() - 30 * 86400
    group = Group(ids.opaque("wr"), next(corp.seq), one["name"], one["owner"], created, one.get("notice", ""))
    group.version = ids.letters(16)
    for userid in [one["owner"], *one.get("staff", [])]:
        member = corp.staff[userid.lower()]
        group.members[userid] = GroupMember(userid, 1, created, 1, member.name, inviter=one["owner"])
    for name in one.get("customers", []):
        person = next(p for p in world.persons.values() if p.name == name and corp.corp_id in p.external_ids)
        external = person.external_ids[corp.corp_id]
        group.members[external] = GroupMember(external, 2, created, 3, name, person.unionid)
    corp.groups[group.chat_id] = group
