"""The only door to what belongs to customers: not visible looks like not there."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass

from sqlmodel import Session

from bot.console.room import room
from bot.console.signing import Visitor
from bot.console.views import visitor
from crm_core import customers, groups
from crm_core.chat import conversations
from crm_core.chat.conversations import Talk
from crm_core.db import UnitOfWork
from crm_core.errors import NotFound
from crm_core.ids import AppKey, CorpId, ExternalUserId

MOST_ID_CHARS = 128
NO_CUSTOMER = "没有找到这位客户，或者您没有查看权限"
NO_GROUP = "没有找到这个客户群，或者您没有查看权限"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Somebody looking at one corp. visible: whose customers they see, None for everybody's."""

    who: Visitor
    session: Session
    visible: AbstractSet[str] | None

    @property
    def corp(self) -> CorpId:
        """The corp they look at."""
        return self.who.corp

    def sees(self, external_user: str) -> bool:
        """Whether some staff member in sight has or had a follow with the customer."""
        return customers.is_known(self.session, self.corp, ExternalUserId(external_user), self.visible)

    def customer(self, external_user: str) -> ExternalUserId:
        """The customer's id, when some staff member in sight has or had a follow with them. Raises: NotFound."""
        wanted = ExternalUserId(external_user)
        if not 0 < len(wanted) <= MOST_ID_CHARS or not self.sees(wanted):
            raise NotFound(NO_CUSTOMER)
        return wanted

    def conversation(self, kind: str, key: str) -> Talk:
        """A conversation of somebody in sight, or of a group of theirs. Raises: NotFound."""
        return conversations.read(self.session, self.corp, conversations.place(kind, key), self.visible)

    def group(self, chat: str) -> str:
        """The group's id, when somebody in sight owns it or is inside. Raises: NotFound."""
        if not 0 < len(chat) <= MOST_ID_CHARS or not groups.is_visible(self.session, self.corp, chat, self.visible):
            raise NotFound(NO_GROUP)
        return chat


@contextmanager
def looking() -> Iterator[Sight]:
    """The visitor's sight over a read-only session. Raises: NotAuthenticated."""
    who = visitor()
    with room().db.reading() as session:
        yield Sight(who=who, session=session, visible=who.visible_staff(session))


@contextmanager
def acting() -> Iterator[tuple[UnitOfWork, Sight]]:
    """A write transaction with the visitor's sight; commits at the end. Raises: NotAuthenticated."""
    who = visitor()
    with room().db.unit() as uow:
        yield uow, Sight(who=who, session=uow.session, visible=who.visible_staff(uow.session))
        uow.commit()


def contact_app(corp: CorpId) -> AppKey:
    """The app through which we speak to WeCom about customers. Raises: NotFound."""
    return room().gateways.of(corp).app_key
