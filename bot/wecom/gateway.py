"""Everything the rooms may ask of WeCom, for one corp through one app. Shapes in, facts out; errors as they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from bot.wecom import limits as checks
from bot.wecom import reading
from bot.wecom.app_calls import AppCalls
from bot.wecom.client import WeComClient
from bot.wecom.intercept_calls import InterceptCalls
from bot.wecom.kf_calls import KfCalls
from bot.wecom.library_calls import LibraryCalls
from bot.wecom.limits import Limits
from bot.wecom.loose import as_dict, as_int, as_text, dicts, texts
from bot.wecom.paging import answers, owner_cursor, split_owner_cursor
from bot.wecom.wire import Upload
from crm_core.errors import InputInvalid, WeComError, WeComUnavailable
from crm_core.ids import AppKey, ChatId, CorpId, ExternalUserId, StaffUserId, TagId, WelcomeCode
from crm_core.ports import (
    AppMessageResult,
    ContactWayMade,
    ContactWayRequest,
    CustomerFacts,
    CustomerGroupFacts,
    DepartmentFacts,
    OutboundMessage,
    Page,
    SignedIn,
    StaffFacts,
    TagGroupFacts,
    UploadedMedia,
)

NO_RELATION = 84061
CODE_GONE = 41044
TOO_MANY_OWNERS = 81017
NO_DETAILS = frozenset({45029, 48009})  # answer too large; directory-sync secret from a new IP
PERSON_WAITS_SECONDS = 3.0
PAGES_WAIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AppFacts:
    """What WeCom's console says of our app (agent/get)."""

    name: str = ""
    closed: bool = False
    redirect_domain: str = ""
    home_url: str = ""


class HttpWeComGateway(LibraryCalls, InterceptCalls, KfCalls, AppCalls):
    """``crm_core.ports.WeComGateway`` over HTTP.

    agent_id: 0 when the app has none (then no app messages and no app ticket). duplicate_check_seconds: 0 switches
    WeCom's suppression of identical app messages off.
    """

    def __init__(
        self,
        client: WeComClient,
        *,
        app_key: AppKey,
        agent_id: int = 0,
        duplicate_check_seconds: int = 1800,
        limits: Limits | None = None,
    ) -> None:
        self.client = client
        self.corp_id: CorpId = client.credential.corp
        self.app_key = app_key
        self.agent_id = agent_id
        self._duplicate_check_seconds = duplicate_check_seconds
        self._limits = limits or Limits()

    # --- greeting, tags, remarks ------------------------------------------------------------------

    def send_welcome(self, code: WelcomeCode, message: OutboundMessage) -> None:
        """Greet a new customer; single use, 20 s (doc 92137).

        Raises: InputInvalid, DeadlineMissed (41050), WeComRefused (41051), WeComUnavailable (41096: try again).
        """
        checks.check_message(message, self._limits)
        body: dict[str, Any] = {"welcome_code": code}
        if message.text:
            body["text"] = {"content": message.text}
        if message.attachments:
            body["attachments"] = [{"msgtype": one.msgtype, one.msgtype: one.body} for one in message.attachments]
        self.client.post("externalcontact/send_welcome_msg", body, repeatable=False)

    def mark_tag(
        self, staff: StaffUserId, external_user: ExternalUserId, add: Sequence[TagId], remove: Sequence[TagId]
    ) -> None:
        """Set and take tags on one follow (doc 92118). Raises: InputInvalid, the WeComError family."""
        if not add and not remove:
            raise InputInvalid("没有要打或要去掉的标签", field="add")
        body: dict[str, Any] = {"userid": staff, "external_userid": external_user}
        body |= {name: list(ids) for name, ids in (("add_tag", add), ("remove_tag", remove)) if ids}
        self.client.post("externalcontact/mark_tag", body, repeatable=True)

    def set_remark(self, staff: StaffUserId, external_user: ExternalUserId, fields: dict[str, Any]) -> None:
        """Write remark, description and kin (doc 92115). Raises: InputInvalid, the WeComError family."""
        checks.check_remark(fields, self._limits)
        body = {"userid": staff, "external_userid": external_user, **fields}
        self.client.post("externalcontact/remark", body, repeatable=True)

    # --- customers --------------------------------------------------------------------------------

    def get_customer(self, external_user: ExternalUserId) -> CustomerFacts:
        """The customer with all visible follows, read to the last page (doc 92114).

        Raises: WeComRefused (40096 unknown, 84061 no relation left), the WeComError family.
        """
        call = "externalcontact/get"

        def ask(cursor: str) -> dict[str, Any]:
            params = {"external_userid": external_user} | ({"cursor": cursor} if cursor else {})
            return self.client.get(call, params, patience_seconds=PAGES_WAIT_SECONDS if cursor else 0.0)

        pages = list(answers(ask, call))
        contact = as_dict(pages[0].get("external_contact"))
        if not as_text(contact.get("external_userid")):
            raise WeComUnavailable(None, "no external_contact in the answer", call)
        return reading.customer(
            contact, (reading.follow(one) for page in pages for one in dicts(page.get("follow_user")))
        )

    def list_customers_of(self, staff: Sequence[StaffUserId], cursor: str) -> Page:
        """A page of CustomerFacts, one follow each (doc 92994); nobody has customers (84061) = an empty page."""
        if not 0 < len(staff) <= self._limits.batch_staff:
            raise InputInvalid(f"一次须为 1 到 {self._limits.batch_staff} 名成员", field="staff")
        body = {"userid_list": list(staff), "cursor": cursor, "limit": 100}
        try:
            answer = self.client.post("externalcontact/batch/get_by_user", body, repeatable=True)
        except WeComError as error:
            if error.errcode != NO_RELATION:
                raise
            return Page(items=())
        return Page(
            items=tuple(
                reading.customer(
                    as_dict(one.get("external_contact")), (reading.batch_follow(as_dict(one.get("follow_info"))),)
                )
                for one in dicts(answer.get("external_contact_list"))
            ),
            next_cursor=as_text(answer.get("next_cursor")),
        )

    def list_external_users(self, staff: StaffUserId) -> tuple[ExternalUserId, ...]:
        """Ids of all external users of one staff member (doc 92113); nobody (84061) = empty."""
        try:
            answer = self.client.get("externalcontact/list", {"userid": staff})
        except WeComError as error:
            if error.errcode != NO_RELATION:
                raise
            return ()
        return tuple(ExternalUserId(one) for one in texts(answer.get("external_userid")))

    def list_follow_staff(self) -> tuple[StaffUserId, ...]:
        """Staff with the customer-contact function (doc 92571)."""
        answer = self.client.get("externalcontact/get_follow_user_list")
        return tuple(StaffUserId(one) for one in texts(answer.get("follow_user")))

    # --- directory --------------------------------------------------------------------------------

    def list_departments(self) -> tuple[DepartmentFacts, ...]:
        """Every visible department; names stay empty where WeCom gives the caller only ids (48009, 45029)."""
        try:
            parts = dicts(self.client.get("department/list").get("department"))
        except WeComError as error:
            if error.errcode not in NO_DETAILS:
                raise
            parts = dicts(self.client.get("department/simplelist").get("department_id"))
        return tuple(reading.department(part) for part in parts)

    def list_staff_of(self, department: int) -> tuple[StaffFacts, ...]:
        """Members directly in one department; the short list where WeCom refuses the full one (48009, 45029)."""
        params = {"department_id": department}
        try:
            answer = self.client.get("user/list", params)
        except WeComError as error:
            if error.errcode not in NO_DETAILS:
                raise
            answer = self.client.get("user/simplelist", params)
        return tuple(reading.staff(one) for one in dicts(answer.get("userlist")))

    # --- tags and groups --------------------------------------------------------------------------

    def list_tag_groups(
        self, *, tag_ids: Sequence[TagId] = (), group_ids: Sequence[str] = ()
    ) -> tuple[TagGroupFacts, ...]:
        """The corp tag library or the named part (doc 92117); both filters = two calls, as WeCom reads only one."""
        wanted = [{name: list(ids)} for name, ids in (("tag_id", tag_ids), ("group_id", group_ids)) if ids]
        call = "externalcontact/get_corp_tag_list"
        return reading.merged_tag_groups(
            reading.tag_groups(self.client.post(call, body, repeatable=True)) for body in wanted or [{}]
        )

    def list_groups(self, cursor: str) -> Page:
        """A page of ChatId (doc 92120).

        Where WeCom wants owners named (81017: more than 1000 visible members), pages go by hundreds of owners.
        """
        by_owner = split_owner_cursor(cursor)
        if by_owner is not None:
            return self._groups_of_owners(*by_owner)
        try:
            answer = self._ask_groups(cursor, None)
        except WeComError as error:
            if error.errcode != TOO_MANY_OWNERS:
                raise
            return self._groups_of_owners(0, "")
        return Page(items=_chat_ids(answer), next_cursor=as_text(answer.get("next_cursor")))

    def _groups_of_owners(self, batch: int, cursor: str) -> Page:
        owners = sorted(self.list_follow_staff())
        first = batch * self._limits.batch_staff
        some = owners[first : first + self._limits.batch_staff]
        if not some:
            return Page(items=())
        answer = self._ask_groups(cursor, some)
        following = as_text(answer.get("next_cursor"))
        if following:
            return Page(items=_chat_ids(answer), next_cursor=owner_cursor(batch, following))
        more = first + self._limits.batch_staff < len(owners)
        return Page(items=_chat_ids(answer), next_cursor=owner_cursor(batch + 1, "") if more else "")

    def _ask_groups(self, cursor: str, owners: Sequence[StaffUserId] | None) -> dict[str, Any]:
        body: dict[str, Any] = {"status_filter": 0, "cursor": cursor, "limit": 1000}
        if owners is not None:
            body["owner_filter"] = {"userid_list": list(owners)}
        return self.client.post("externalcontact/groupchat/list", body, repeatable=True)

    def get_group(self, chat: ChatId) -> CustomerGroupFacts:
        """One customer group with members and names (doc 92122)."""
        call = "externalcontact/groupchat/get"
        answer = self.client.post(call, {"chat_id": chat, "need_name": 1}, repeatable=True)
        found = reading.customer_group(as_dict(answer.get("group_chat")))
        if not found.chat_id:
            raise WeComUnavailable(None, "no group_chat in the answer", call)
        return found

    # --- contact ways -----------------------------------------------------------------------------

    def add_contact_way(self, request: ContactWayRequest) -> ContactWayMade:
        """Make a QR live code (doc 92228); never repeated by itself. Raises: InputInvalid, the WeComError family."""
        checks.check_contact_way(request, self._limits)
        several = len(request.staff) != 1 or bool(request.departments)
        body: dict[str, Any] = {
            "type": 2 if several else 1,
            "scene": 2,
            "remark": request.memo,
            "skip_verify": request.skip_verify,
            "state": request.state,
            "user": list(request.staff),
        }
        if request.departments:
            body["party"] = list(request.departments)
        call = "externalcontact/add_contact_way"
        answer = self.client.post(call, body, repeatable=False)
        return _contact_way(answer, call)

    def find_contact_way(self, state: str, since: int) -> ContactWayMade | None:
        """The code made since ``since`` (Unix seconds) whose state is ``state``, None when there is none."""
        call = "externalcontact/list_contact_way"

        def ask(cursor: str) -> dict[str, Any]:
            body = {"start_time": since, "limit": 1000} | ({"cursor": cursor} if cursor else {})
            return self.client.post(call, body, repeatable=True, patience_seconds=PAGES_WAIT_SECONDS)

        for page in answers(ask, call):
            for one in dicts(page.get("contact_way")):
                way = self._contact_way_of(as_text(one.get("config_id")))
                if way is not None and as_text(way.get("state")) == state:
                    return _contact_way(way, "externalcontact/get_contact_way")
        return None

    def _contact_way_of(self, config_id: str) -> dict[str, Any] | None:
        """The code's details, None when it was deleted meanwhile."""
        body = {"config_id": config_id}
        try:
            answer = self.client.post(
                "externalcontact/get_contact_way", body, repeatable=True, patience_seconds=PAGES_WAIT_SECONDS
            )
        except WeComError as error:
            if error.errcode != CODE_GONE:
                raise
            return None
        return dict(as_dict(answer.get("contact_way")))

    # --- the app itself ---------------------------------------------------------------------------

    def send_app_message(self, staff: Sequence[StaffUserId], body: dict[str, Any]) -> AppMessageResult:
        """Send ``body`` (msgtype plus its object) to ≤ 1000 staff (protocol notes 4.1).

        WeCom drops a repeat with the same content to the same people within the check interval; still it is not
        repeated here, the sender decides. Raises: InputInvalid, the WeComError family.
        """
        checks.check_app_message(staff, body, self._limits)
        envelope = {**body, "touser": "|".join(staff), "agentid": self.agent_id}
        if self._duplicate_check_seconds:
            envelope |= {
                "enable_duplicate_check": 1,
                "duplicate_check_interval": self._duplicate_check_seconds,
            }
        answer = self.client.post("message/send", envelope, repeatable=False)
        return AppMessageResult(
            message_id=as_text(answer.get("msgid")),
            response_code=as_text(answer.get("response_code")),
            invalid_staff=tuple(one for one in as_text(answer.get("invaliduser")).split("|") if one),
        )

    def upload_media(self, kind: str, filename: str, content: BinaryIO) -> UploadedMedia:
        """Give WeCom a copy for 3 days (doc 90253; created_at comes as a string). Raises: the WeComError family."""
        call = "media/upload"
        answer = self.client.upload(call, {"type": kind}, Upload(filename=filename, content=content))
        media_id = as_text(answer.get("media_id"))
        if not media_id:
            raise WeComUnavailable(None, "no media_id in the answer", call)
        return UploadedMedia(media_id=media_id, created_at=as_int(answer.get("created_at")))

    def upload_image(self, filename: str, content: BinaryIO) -> str:
        """Give WeCom a picture of ≤ 2 MB for ever (doc 90256). Raises: the WeComError family."""
        call = "media/uploadimg"
        url = as_text(self.client.upload(call, {}, Upload(filename=filename, content=content)).get("url"))
        if not url:
            raise WeComUnavailable(None, "no url in the answer", call)
        return url

    def sign_in(self, code: str) -> SignedIn:
        """Swap a login code, single use, 5 minutes (auth/getuserinfo; protocol notes 5.1).

        ``extra`` holds openid, user_ticket or linked_member where WeCom tells them. A member of a linked corp
        ("CorpId/userid") is nobody of ours. Raises: InputInvalid, WeComRefused (40029, 42022), the WeComError family.
        """
        if not 0 < len(code) <= 512:
            raise InputInvalid("登录 code 为空或过长", field="code")
        answer = self.client.get(
            "auth/getuserinfo", {"code": code}, repeatable=False, patience_seconds=PERSON_WAITS_SECONDS
        )
        userid, external = as_text(answer.get("userid")), as_text(answer.get("external_userid"))
        extra = {name: as_text(answer[name]) for name in ("openid", "user_ticket") if as_text(answer.get(name))}
        if "/" in userid:
            return SignedIn(staff=None, extra=extra | {"linked_member": userid})
        return SignedIn(
            staff=StaffUserId(userid) if userid else None,
            external_user=ExternalUserId(external) if external else None,
            extra=extra,
        )

    def jsapi_ticket(self, *, for_app: bool) -> str:
        """The corp's (config) or the app's (agentConfig) JS-SDK ticket, cached (protocol notes 6.1)."""
        if for_app and not self.agent_id:
            raise InputInvalid(f"应用「{self.app_key}」没有 agent_id，不能取应用票据", field="agent_id")
        return self.client.ticket(self.agent_id if for_app else None)

    def app_facts(self) -> AppFacts:
        """What WeCom's console says of our app (agent/get), for ``scrm doctor``."""
        answer = self.client.get("agent/get", {"agentid": self.agent_id}, patience_seconds=PERSON_WAITS_SECONDS)
        return AppFacts(
            name=as_text(answer.get("name")),
            closed=bool(as_int(answer.get("close"))),
            redirect_domain=as_text(answer.get("redirect_domain")),
            home_url=as_text(answer.get("home_url")),
        )


def _chat_ids(answer: dict[str, Any]) -> tuple[ChatId, ...]:
    return tuple(ChatId(chat) for one in dicts(answer.get("group_chat_list")) if (chat := as_text(one.get("chat_id"))))


def _contact_way(answer: dict[str, Any], call: str) -> ContactWayMade:
    config_id = as_text(answer.get("config_id"))
    if not config_id:
        raise WeComUnavailable(None, "no config_id in the answer", call)
    return ContactWayMade(config_id=config_id, qr_url=as_text(answer.get("qr_code")))
