"""What the console does to one customer: stage, tags, remark, mobile, personal data."""

import json
import secrets

from flask import render_template, request
from flask.typing import ResponseReturnValue

from bot.console import tagging_acts
from bot.console.access import acting, contact_app, looking
from bot.console.pages_customers import card_of
from bot.console.views import page
from crm_core import audit, customer_acts, customers, duplicates, identity, profile
from crm_core.customers import STAGES
from crm_core.errors import NotFound, ScrmError
from crm_core.ids import StaffUserId

NOTE_CHARS = 200


def _acts(external_userid: str, said: str = "") -> str:
    with looking() as sight:
        card = card_of(sight, sight.customer(external_userid))
    return render_template("console/customer_acts.html", card=card, stages=STAGES, said=said)


@page("/customers/<external_userid>/stage", permission="customers.write", methods=("POST",))
def change_stage(external_userid: str) -> str:
    """Move the customer to another stage. Raises: NotFound, InputInvalid."""
    note = request.form.get("note", "").strip()[:NOTE_CHARS]
    with acting() as (uow, sight):
        external_user = sight.customer(external_userid)
        stage, staff = request.form.get("stage", ""), StaffUserId(sight.who.staff)
        customers.change_stage(uow, sight.corp, external_user, stage=stage, staff=staff, note=note)
    return _acts(external_userid)


@page("/customers/<external_userid>/tags", permission="customers.write", methods=("POST",))
def change_tags(external_userid: str) -> str:
    """Add tags to the longest follow in sight, take tags off all follows in sight. Raises: NotFound, InputInvalid."""
    add, remove = request.form.getlist("add"), request.form.getlist("remove")
    try:
        with acting() as (uow, sight):
            tagging_acts.mark(
                uow,
                corp=sight.corp,
                app=contact_app(sight.corp),
                external_user=sight.customer(external_userid),
                visible=sight.visible,
                add=add,
                remove=remove,
                key=f"console:{secrets.token_hex(8)}",
            )
    except NotFound:
        raise
    except ScrmError as error:
        return _acts(external_userid, error.message)
    return _acts(external_userid)


@page("/customers/<external_userid>/remark", permission="customers.write", methods=("POST",))
def change_remark(external_userid: str) -> ResponseReturnValue:
    """Have remark and description of one follow written at WeCom. Raises: NotFound, InputInvalid."""
    staff = StaffUserId(request.form.get("staff", ""))
    with acting() as (uow, sight):
        external_user = sight.customer(external_userid)
        if sight.visible is not None and staff not in sight.visible:
            raise NotFound("没有这位跟进人")
        customer_acts.ask_remark(
            uow,
            corp=sight.corp,
            app=contact_app(sight.corp),
            staff=staff,
            external_user=external_user,
            remark=request.form.get("remark", "").strip(),
            description=request.form.get("description", "").strip(),
            key=secrets.token_hex(8),
        )
    told = json.dumps({"notice": {"text": "已提交，企业微信确认后显示新的备注"}})
    return _acts(external_userid), {"HX-Trigger": told}


@page("/customers/<external_userid>/merges/<int:merge_id>/undo", permission="customers.write", methods=("POST",))
def undo_merge(external_userid: str, merge_id: int) -> ResponseReturnValue:
    """Take a merge of this customer back. Raises: NotFound, Conflict."""
    with acting() as (uow, sight):
        external_user = sight.customer(external_userid)
        if merge_id not in {merge.id for merge in duplicates.merges_of(uow.session, sight.corp, external_user)}:
            raise NotFound("没有这次合并记录，或已经撤销")
        identity.undo_merge(uow, merge_id)
        audit.record(
            uow,
            corp=sight.corp,
            actor=sight.who.actor,
            act="customer.split",
            object_kind="customer",
            object_id=external_user,
            data={"merge": merge_id},
        )
    return "", 204, {"HX-Refresh": "true"}


@page("/customers/<external_userid>/mobiles", permission="mobile.reveal", methods=("POST",))
def reveal_mobiles(external_userid: str) -> str:
    """The whole phone numbers, with an audit row. Raises: NotFound."""
    with acting() as (uow, sight):
        external_user = sight.customer(external_userid)
        found = profile.read(uow.session, sight.corp, external_user)
        mobiles = [
            mobile
            for one in found.follows
            if sight.visible is None or one.staff in sight.visible
            for mobile in one.mobiles
        ]
        audit.record(
            uow,
            corp=sight.corp,
            actor=sight.who.actor,
            act="mobile.revealed",
            object_kind="customer",
            object_id=external_user,
        )
    return render_template("console/mobiles.html", mobiles=list(dict.fromkeys(mobiles)))
