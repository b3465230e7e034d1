"""What the demo's company looks like inside our product: synced, with live codes ready to scan."""

from typing import Any

import structlog

from bot.sync import Syncer
from bot.wiring import House
from crm_core import checkups, contact_ways, custom_fields, roles, welcome_messages
from crm_core.contact_ways import ContactWayForm
from crm_core.custom_fields import FieldForm
from crm_core.db import UnitOfWork
from crm_core.ids import AppKey, CorpId, StaffUserId
from crm_core.ports import WeComGateway
from crm_core.roles import Role
from tagging import service as tagging

log = structlog.get_logger()

WAYS: tuple[dict[str, Any], ...] = (
    {
        "name": "门店活码·徐汇",
        "staff": ("zhang.san", "LiNa"),
        "tags": ("中意向", "全屋定制"),
        "remark": "{昵称}·徐汇",
        "welcome": {
            "text": (
                "{昵称}，您好！我是云帆家居徐汇店的设计顾问。\n"
                "您家现在是准备装修，还是想换几件家具？告诉我户型，我帮您先算个大概。"
            ),
            "attachments": [
                {
                    "msgtype": "link",
                    "link": {
                        "title": "云帆家居 2026 秋季实景案例",
                        "desc": "12 套真实业主的家，含面积与花费",
                        "url": "https://yunfan.example.com/cases",
                    },
                }
            ],
        },
    },
    {
        "name": "展会活码·秋季家博会",
        "staff": ("wangwu",),
        "tags": ("高意向",),
        "remark": "{昵称}·家博会",
        "welcome": {
            "text": "{昵称}，您好！感谢您来家博会看我们。\n展会优惠保留到月底，您随时可以把户型图发给我。",
            "attachments": [],
        },
    },
    {
        "name": "售后服务码",
        "staff": ("zhou-min",),
        "tags": ("已成交",),
        "remark": "",
        "welcome": {
            "text": (
                "{昵称}，您好！这里是云帆家居售后，我是周敏。\n请告诉我订单手机号后四位和遇到的问题，我马上为您登记。"
            ),
            "attachments": [],
        },
    },
)
ROLES = {"sun_hao": Role.ADMIN, "zhou-min": Role.OPERATOR, "ChenJing": Role.SUPERVISOR}
FIELDS = (
    FieldForm(name="装修预算", kind="number", hint="元", sort_order=6),
    FieldForm(name="户型", kind="choice", choices=("一居", "两居", "三居", "四居及以上", "别墅"), sort_order=5),
    FieldForm(name="关注点", kind="multi", choices=("环保", "收纳", "颜值", "价格", "工期"), sort_order=4),
    FieldForm(name="交房日期", kind="date", sort_order=3),
    FieldForm(name="小区地址", kind="address", sort_order=2),
    FieldForm(name="介绍人", kind="person", hint="哪位同事介绍来的", sort_order=1),
)
CORP_WELCOME = {"text": "{昵称}，您好！欢迎联系云帆家居，有什么可以帮您？", "attachments": []}


def open_up(house: House) -> None:
    """Furnish the company, then have the doctor look at it, so that the guide shows what is done."""
    furnish(house)
    with house.db.unit() as uow:
        for gateway in house.gateways:
            checkups.ask(uow, CorpId(gateway.corp_id), actor="demo")
        uow.commit()


def furnish(house: House) -> None:
    """Sync every corp, then make the live codes, once. Runs in a thread; a fault is logged, the demo goes on."""
    for gateway in house.gateways:
        try:
            Syncer(house.db, gateway, house.files).run(full=True)
            with house.db.unit() as uow:
                _furnish_corp(uow, gateway)
                uow.commit()
        except Exception:
            log.exception("demo_not_furnished", corp_id=gateway.corp_id)


def _furnish_corp(uow: UnitOfWork, gateway: WeComGateway) -> None:
    corp, app = CorpId(gateway.corp_id), AppKey(gateway.app_key)
    if contact_ways.listing(uow.session, corp, limit=1):
        return
    for field in FIELDS:
        custom_fields.define(uow, corp, field, actor="demo")
    for userid, role in ROLES.items():
        roles.give(uow, corp, StaffUserId(userid), role, actor="demo")
    tags = {tag.name: tag.tag_id for group in tagging.library(uow.session, corp) for tag in group.tags}
    welcome_messages.set_message(uow, corp, welcome_messages.EVERYBODY, CORP_WELCOME)
    for way in WAYS:
        form = ContactWayForm(
            name=str(way["name"]),
            staff=tuple(way["staff"]),
            tag_ids=tuple(tags[name] for name in way["tags"] if name in tags),
            customer_remark=str(way["remark"]),
            welcome=way["welcome"],
        )
        contact_ways.create(uow, corp=corp, app=app, form=form, created_by="demo")
