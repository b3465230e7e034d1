"""Changing what exists at WeCom: live codes and corp tags. A part of the gateway."""

from collections.abc import Sequence
from typing import Any

from bot.wecom import limits as checks
from bot.wecom import reading
from bot.wecom.client import WeComClient
from bot.wecom.limits import Limits
from bot.wecom.loose import as_dict
from crm_core.errors import InputInvalid, WeComError, WeComUnavailable
from crm_core.ids import TagId
from crm_core.ports import ContactWayRequest, TagGroupFacts

CODE_GONE = 41044
TAG_GONE = 40068


class LibraryCalls:
    """Calls that change live codes (doc 92228) and corp tags (doc 92117); all may be repeated."""

    client: WeComClient
    _limits: Limits

    def update_contact_way(self, config_id: str, request: ContactWayRequest) -> None:
        """Change a live code; staff and departments replace the former ones as a whole.

        Raises: InputInvalid, WeComRefused (41044: it is gone), the WeComError family.
        """
        checks.check_contact_way(request, self._limits)
        body: dict[str, Any] = {
            "config_id": config_id,
            "remark": request.memo,
            "skip_verify": request.skip_verify,
            "state": request.state,
            "user": list(request.staff),
            "party": list(request.departments),
        }
        self.client.post("externalcontact/update_contact_way", body, repeatable=True)

    def delete_contact_way(self, config_id: str) -> None:
        """Delete a live code; one that is gone already is fine. Raises: the WeComError family."""
        try:
            self.client.post("externalcontact/del_contact_way", {"config_id": config_id}, repeatable=True)
        except WeComError as error:
            if error.errcode != CODE_GONE:
                raise

    def add_tags(self, *, names: Sequence[str], group_id: str = "", group_name: str = "") -> TagGroupFacts:
        """Make tags in a group, or in one by name that is made when there is none. Answers the group and new tags.

        Not repeated by itself: a repeat is refused with 40071. Raises: InputInvalid, the WeComError family.
        """
        if not names or not (group_id or group_name):
            raise InputInvalid("请填写标签组和标签", field="names")
        call = "externalcontact/add_corp_tag"
        target = {"group_id": group_id} if group_id else {"group_name": group_name}
        body = {**target, "tag": [{"name": name} for name in names]}
        answer = self.client.post(call, body, repeatable=False)
        groups = reading.tag_groups({"tag_group": [as_dict(answer.get("tag_group"))]})
        if not groups:
            raise WeComUnavailable(None, "no tag_group in the answer", call)
        return groups[0]

    def edit_tag(self, target: str, *, name: str = "", sort_order: int | None = None) -> None:
        """Rename or order a tag or a group (larger order first). Raises: WeComRefused (40068, 40071), its family."""
        body: dict[str, Any] = {"id": target}
        body |= {"name": name} if name else {}
        body |= {} if sort_order is None else {"order": sort_order}
        self.client.post("externalcontact/edit_corp_tag", body, repeatable=True)

    def delete_tags(self, *, tag_ids: Sequence[TagId] = (), group_ids: Sequence[str] = ()) -> None:
        """Delete tags and groups; what is gone already is fine. Raises: the WeComError family."""
        body = {name: list(ids) for name, ids in (("tag_id", tag_ids), ("group_id", group_ids)) if ids}
        try:
            self.client.post("externalcontact/del_corp_tag", body, repeatable=True)
        except WeComError as error:
            if error.errcode != TAG_GONE:
                raise
