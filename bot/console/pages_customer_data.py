"""A customer's personal data: handed out as a file, or erased for good."""

import io
import json
import zipfile

from flask import Response, request
from flask.typing import ResponseReturnValue

from bot.console.access import Sight, acting
from bot.console.room import room
from bot.console.views import page
from crm_core import audit, erasure
from crm_core.chat import keeping
from crm_core.errors import InputInvalid
from materials import radar_erasure, recommend_erasure
from sop import erasure as sop_erasure
from tagging import erasure as tagging_erasure

WHOLE_CORP = "需要“本企业”的数据范围，请联系管理员"


def _need_whole_corp(sight: Sight) -> None:
    if sight.visible is not None:
        raise InputInvalid(f"处理一个人的全部数据{WHOLE_CORP}")


@page("/customers/<external_userid>/data", permission="customers.erase", methods=("POST",))
def hand_out_data(external_userid: str) -> Response:
    """All we hold about the customer as a zip with JSON inside (PIPL art. 45), with an audit row. Raises: NotFound."""
    with acting() as (uow, sight):
        external_user = sight.customer(external_userid)
        _need_whole_corp(sight)
        found = erasure.gather(uow.session, sight.corp, external_user)
        found["tags"] = tagging_erasure.gather(uow.session, sight.corp, external_user)
        found["tasks"] = sop_erasure.gather(uow.session, sight.corp, external_user)
        found["recommendation"] = recommend_erasure.gather(
            uow.session, room().house.chat.cipher, sight.corp, external_user
        )
        found["radar"] = radar_erasure.gather(uow.session, sight.corp, external_user)
        found["chats"] = keeping.gather(uow.session, room().house.chat.store, sight.corp, external_user)
        audit.record(
            uow,
            corp=sight.corp,
            actor=sight.who.actor,
            act="customer.data_exported",
            object_kind="customer",
            object_id=external_user,
        )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("customer.json", json.dumps(found, ensure_ascii=False, indent=2, default=str))
    headers = {"Content-Disposition": "attachment; filename=customer-data.zip"}
    return Response(packed.getvalue(), mimetype="application/zip", headers=headers)


@page("/customers/<external_userid>/erase", permission="customers.erase", methods=("POST",))
def erase_customer(external_userid: str) -> ResponseReturnValue:
    """Erase what tells who the customer is; counts stay under a pseudonym. Raises: NotFound, InputInvalid."""
    with acting() as (uow, sight):
        external_user = sight.customer(external_userid)
        _need_whole_corp(sight)
        if request.form.get("sure") != "yes":
            raise InputInvalid("请先确认要永久抹除")
        dropped = keeping.erase(uow, room().house.chat.store, sight.corp, external_user)
        pseudonym = erasure.erase(uow, sight.corp, external_user, actor=sight.who.actor)
        tagging_erasure.erase(uow, sight.corp, external_user)
        radar_erasure.erase(uow, sight.corp, external_user, pseudonym)
        recommend_erasure.erase(uow, sight.corp, external_user)
        sop_erasure.erase(uow, sight.corp, external_user, pseudonym)
    for key in dropped.file_keys:
        room().house.chat.archive.files.delete(key)
    return "", 204, {"HX-Redirect": "/console/customers"}
