"""A small company with customers, tags, todos and scripts, and the sidebar serving it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Flask
from flask.testing import FlaskClient

from bot.ciphers import open_cipher
from bot.draft_desk import DraftDesk
from bot.media_store import FolderStore
from crm_core import groups, staff, timeline
from crm_core.chat.store import ChatStore
from crm_core.config import AppPart, CorpPart, DemoPart, ServerPart, Settings, WeComPart
from crm_core.customers import CustomerFiles
from crm_core.db import Database, open_engine
from crm_core.ids import AppKey, ChatId, CorpId, ExternalUserId, StaffUserId, TagId
from crm_core.ports import (
    CustomerFacts,
    CustomerGroupFacts,
    FollowFacts,
    GroupMemberFacts,
    StaffFacts,
    TagFacts,
    TagGroupFacts,
    TagMark,
)
from materials import service as materials
from materials.recommending import Recommender
from sidebar.suggest_panel import Suggesting
from sidebar.web import SidebarDeps, install
from sop import service as sop
from sop.engine import SopEngine
from tagging import service as tagging
from tests.fakes import FakeGateway, FakeGateways, FrozenClock, SilentWaker
from tests.support.databases import sqlite_url

CORP, OTHER_CORP = CorpId("ww_yunfan"), CorpId("ww_other")
ZHANG, LI = StaffUserId("zhangsan"), StaffUserId("lisi")
WANG, CHEN, ZHAO, FAR = (ExternalUserId(f"wm_{name}") for name in ("wang", "chen", "zhao", "far"))
OWNERS, BUYERS, FOREIGN = (ChatId(f"wr_{name}") for name in ("owners", "buyers", "foreign"))
MOBILES = {WANG: "13812348003", CHEN: "13812348004", ZHAO: "13812348005", FAR: "13812348006"}
CLIENT_AGENT = "Mozilla/5.0 wxwork/4.1.30 MicroMessenger/7.0.1"
TAGS = (
    TagGroupFacts(
        group_id="g_budget",
        name="预算",
        sort_order=3,
        tags=tuple(
            TagFacts(tag_id=TagId(f"t_b{n}"), name=name) for n, name in enumerate(("3–5 万", "5–10 万", "10 万以上"))
        ),
    ),
    TagGroupFacts(
        group_id="g_home",
        name="家庭",
        sort_order=2,
        tags=tuple(TagFacts(tag_id=TagId(f"t_h{n}"), name=name) for n, name in enumerate(("有娃", "有老人", "养宠物"))),
    ),
    TagGroupFacts(
        group_id="g_step",
        name="进度",
        sort_order=1,
        tags=tuple(
            TagFacts(tag_id=TagId(f"t_s{n}"), name=name) for n, name in enumerate(("已到店", "已量房", "已出方案"))
        ),
    ),
)


@dataclass
class House:
    """What a test may reach into."""

    app: Flask
    db: Database
    clock: FrozenClock
    gateway: FakeGateway
    other_gateway: FakeGateway
    settings: Settings
    chats: ChatStore

    def client(self) -> FlaskClient:
        return self.app.test_client()

    def signed_in(self, code: str = "zhang", app_key: str = "main") -> FlaskClient:
        client = self.client()
        answer = client.get(f"/sidebar/{app_key}/", headers={"User-Agent": CLIENT_AGENT})
        state = parse_qs(urlsplit(answer.headers["Location"]).query)["state"][0]
        assert client.get(f"/sidebar/login/callback?code={code}&state={state}").status_code == 302
        return client

    def csrf(self, client: FlaskClient) -> dict[str, str]:
        app_key = "main" if client.get("/sidebar/api/me").get_json()["data"]["app"] == "main" else "other"
        page = client.get(f"/sidebar/{app_key}/").get_data(as_text=True)
        found = re.search(r'name="csrf-token" content="([^"]+)"', page)
        assert found
        return {"X-CSRFToken": found.group(1)}

    def todo_of(self, external_user: str, staff_userid: StaffUserId = ZHANG) -> sop.Todo:
        with self.db.reading() as session:
            return next(t for t in sop.todos(session, CORP, staff_userid) if t.external_user == external_user)

    def kinds(self, external_user: ExternalUserId) -> list[str]:
        with self.db.reading() as session:
            return [entry.kind for entry in timeline.read(session, CORP, external_user, limit=100)]


def _app_part(key: str, agent_id: int) -> AppPart:
    return AppPart(key=key, name="客户助手", agent_id=agent_id, sidebar=True)


def make_settings(public_url: str = "http://127.0.0.1:8700", **parts: Any) -> Settings:
    return Settings(
        server=ServerPart(public_url=public_url),
        wecom=parts.get("wecom", WeComPart()),
        demo=parts.get("demo", DemoPart()),
        secret_key="s" * 40,
        corps=(
            CorpPart(corp_id=CORP, name="云帆家居", contact_app="main", apps=(_app_part("main", 1000002),)),
            CorpPart(corp_id=OTHER_CORP, name="远山装饰", contact_app="other", apps=(_app_part("other", 1000003),)),
        ),
    )


def build(folder: Path, settings: Settings | None = None) -> House:
    settings = settings or make_settings()
    clock = FrozenClock()
    db = Database(open_engine(sqlite_url(folder)), clock, SilentWaker())
    gateway = FakeGateway(CORP, AppKey("main"), {"zhang": ZHANG, "li": LI})
    other = FakeGateway(OTHER_CORP, AppKey("other"), {"zhang": ZHANG})
    app = Flask("house")
    app.testing = False
    cipher = open_cipher(settings)
    chats = ChatStore(cipher, ())
    suggesting = Suggesting(recommender=Recommender(db, cipher), chats=chats, cipher=cipher, drafts=DraftDesk(settings))
    install(
        app,
        SidebarDeps(
            db=db,
            settings=settings,
            gateways=FakeGateways(gateway, other),
            store=FolderStore(folder / "media"),
            chats=chats,
            suggesting=suggesting,
        ),
    )
    house = House(app, db, clock, gateway, other, settings, chats)
    _settle_in(house)
    return house


def _settle_in(house: House) -> None:
    files = CustomerFiles(house.settings.identity)
    engine = SopEngine(house.settings)
    started = int(house.clock.now().timestamp()) - 3 * 86400
    with house.db.unit() as uow:
        for corp in (CORP, OTHER_CORP):
            materials.install_missing(uow, corp)
            sop.install_missing(uow, corp)
            tagging.apply_library(uow, corp, TAGS, complete=True)
        for userid, name in ((ZHANG, "张三"), (LI, "李四")):
            staff.apply_staff(uow, CORP, StaffFacts(userid=userid, name=name))
        for user, name, follows in (
            (WANG, "王女士", (ZHANG, LI)),
            (CHEN, "陈先生", (ZHANG,)),
            (ZHAO, "<script>alert(1)</script>", (ZHANG,)),
            (FAR, "别人的客户", (LI,)),
        ):
            _meet(uow, files, CORP, user, name, follows, started)
        _meet(uow, files, OTHER_CORP, FAR, "另一家的客户", (ZHANG,), started)
        _gather(uow, house.clock.now())
        for user in (WANG, CHEN):
            engine.enrol(
                uow,
                corp=CORP,
                app=AppKey("main"),
                staff_userid=ZHANG,
                external_user=user,
                trigger="follow_started",
                key=user,
            )
        house.clock.move(seconds=5)
        for user in (WANG, CHEN):
            engine.hurry(uow, CORP, ZHANG, user)
        uow.commit()


def _gather(uow: Any, now: datetime) -> None:
    """Three groups: two with 张三 in them, one of others. 王女士 is in all."""
    for chat, name, owner, notice, members in (
        (OWNERS, "新居交流群", ZHANG, "装修问题随时问", ((ZHANG, 1), (LI, 1), (WANG, 2), (CHEN, 2), (FAR, 2))),
        (BUYERS, "家博会团购群", LI, "", ((LI, 1), (ZHANG, 1), (WANG, 2))),
        (FOREIGN, "别人的群", LI, "", ((LI, 1), (WANG, 2))),
    ):
        facts = tuple(
            GroupMemberFacts(
                member_id=member,
                kind=kind,
                name={WANG: "王女士", CHEN: "陈先生", FAR: "别人的客户"}.get(member, ""),
                join_scene=3 if kind == 2 else 1,
                invitor=LI if member == FAR else "",
                joined_at=int(now.timestamp()) - (60 if member == CHEN else 10 * 86400),
            )
            for member, kind in members
        )
        groups.apply_facts(
            uow,
            CORP,
            CustomerGroupFacts(
                chat_id=chat, name=name, owner=owner, notice=notice, member_version="v1", members=facts,
                created_at=int(now.timestamp()) - 30 * 86400,
            ),
        )  # fmt: skip


def _meet(uow: Any, files: CustomerFiles, corp: CorpId, user: Any, name: str, follows: Any, started: int) -> None:
    marks = (
        TagMark(kind=1, name="3–5 万", tag_id=TagId("t_b0")),
        TagMark(kind=1, name="有娃", tag_id=TagId("t_h0")),
        TagMark(kind=1, name="已到店", tag_id=TagId("t_s0")),
        TagMark(kind=2, name="爱喝茶"),
    )
    facts = CustomerFacts(
        external_user=user,
        name=name,
        follows=tuple(
            FollowFacts(
                staff=userid,
                remark=f"{name}备注",
                description="徐汇店看过样板间，想年前装好",
                created_at=started,
                add_way=1,
                remark_mobiles=(MOBILES[user],),
                tags=marks if userid == ZHANG else (),
            )
            for userid in follows
        ),
    )
    files.apply_facts(uow, corp, facts)
    for number, follow in enumerate(facts.follows):
        tagging.apply_follow_tags(uow, corp, user, follow, key=f"seed:{user}:{number}")
        timeline.append(
            uow,
            corp=corp,
            external_user=user,
            staff=follow.staff,
            kind="follow.started",
            at=uow.now(),
            dedupe_key=f"met:{user}:{follow.staff}",
        )
