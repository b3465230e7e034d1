"""Who is at the console, and what they may do there.

Staff sign in through WeCom like in the sidebar. The first admin, who must come in before WeCom works, has a password
from the environment (``SCRM_ADMIN_PASSWORD``) and every permission in every corp.
"""

import hmac
from dataclasses import dataclass

from flask import session as cookie
from sqlmodel import Session

from bot.console.room import SURFACE, Room
from crm_core import audit, roles, staff
from crm_core.errors import InputInvalid, NotAllowed, NotFound
from crm_core.ids import CorpId, StaffUserId
from crm_core.roles import FULL, Grant, Scope
from sidebar import auth
from sidebar.surface import SESSION_LASTS

FIRST_ADMIN = StaffUserId("@admin")
KEPT_CORP = "console_corp"
PASSWORD_SIGN_IN = "console_admin"  # noqa: S105 - the name of a cookie entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who is signed in, looking at which corp. home: the corp they belong to; "" for the first admin."""

    corp: CorpId
    corp_name: str
    home: str
    staff: StaffUserId
    name: str
    grant: Grant

    @property
    def actor(self) -> str:
        """How audit rows name them."""
        return self.staff if self.corp == self.home or not self.home else f"{self.home}/{self.staff}"

    def allows(self, permission: str) -> bool:
        """Whether they hold a permission."""
        return self.grant.allows(permission)

    def visible_staff(self, session: Session) -> frozenset[str] | None:
        """Whose customers they see in this corp; None: everybody's."""
        return roles.visible_staff(session, self.corp, self.staff, self.grant)


def current(found: Room) -> Visitor | None:
    """Who is signed in, if anybody."""
    if _is_first_admin(found):
        return _visitor(found, home="", userid=FIRST_ADMIN, name="系统管理员", grant=FULL)
    signed_in = auth.current(found)
    if signed_in is None:
        return None
    with found.db.reading() as session:
        grant = roles.grant_of(session, signed_in.corp, signed_in.staff)
        name = staff.names(session, signed_in.corp, [signed_in.staff])[signed_in.staff]
        if not staff.is_active(session, signed_in.corp, signed_in.staff):
            return None
    return _visitor(found, home=signed_in.corp, userid=signed_in.staff, name=name, grant=grant)


def _visitor(found: Room, *, home: str, userid: StaffUserId, name: str, grant: Grant) -> Visitor:
    names = {part.corp_id: part.name or part.corp_id for part in found.settings.corps}
    wanted = str(cookie.get(KEPT_CORP, ""))
    several = grant.scope == Scope.CORPS
    corp = wanted if several and wanted in names else home or next(iter(names), "")
    return Visitor(
        corp=CorpId(corp), corp_name=names.get(corp, "尚未配置企业"), home=home, staff=userid, name=name, grant=grant
    )


def choose_corp(found: Room, visitor: Visitor, corp: str) -> None:
    """Look at another corp from now on. Raises: NotAllowed, NotFound."""
    if visitor.grant.scope != Scope.CORPS:
        raise NotAllowed("您只能查看自己的企业")
    if found.settings.corp(CorpId(corp)) is None:
        raise NotFound("没有这家企业")
    cookie[KEPT_CORP] = corp


def has_password(found: Room) -> bool:
    """Whether the first admin's password is set."""
    return bool(found.settings.admin_password.get_secret_value())


def sign_in_with_password(found: Room, password: str) -> None:
    """Let the first admin in, with an audit row either way. Raises: InputInvalid."""
    expected = found.settings.admin_password.get_secret_value()
    is_right = bool(expected) and hmac.compare_digest(expected.encode(), password.encode())
    with found.db.unit() as uow:
        corp = CorpId(next((part.corp_id for part in found.settings.corps), ""))
        act = "admin.signed_in" if is_right else "admin.refused"
        audit.record(uow, corp=corp, actor=FIRST_ADMIN, act=act, object_kind="console", object_id="")
        uow.commit()
    if not is_right:
        raise InputInvalid("密码不正确", field="password")
    sign_out()
    cookie[PASSWORD_SIGN_IN] = (found.db.clock.now() + SESSION_LASTS).timestamp()


def sign_out() -> None:
    """Forget who was signed in."""
    auth.sign_out(SURFACE)
    for name in (KEPT_CORP, PASSWORD_SIGN_IN):
        cookie.pop(name, None)


def _is_first_admin(found: Room) -> bool:
    until = cookie.get(PASSWORD_SIGN_IN)
    return has_password(found) and isinstance(until, float) and until > found.db.clock.now().timestamp()
