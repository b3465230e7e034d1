"""What tagging holds about one customer: handed out, or forgotten."""

from sqlalchemy import delete
from sqlmodel import Session, col

from crm_core.db import UnitOfWork
from crm_core.ids import CorpId, ExternalUserId
from tagging import service, suggestion_list
from tagging.tables import ChatTagHitRow, FollowTagRow, PersonalTagRow, TagSuggestionRow


def gather(session: Session, corp: CorpId, external_user: ExternalUserId) -> list[dict[str, str]]:
    """The customer's corp tags, and what was suggested from their chats."""
    held = [
        {"group": tag.group_name, "tag": tag.name, "staff": tag.staff, "source": tag.source}
        for tag in service.tags_of(session, corp, external_user)
    ]
    proposed = [
        {"group": one.group_name, "tag": one.tag_name, "staff": one.staff, "source": f"chat:{one.state}"}
        for one in suggestion_list.of_customer(session, corp, external_user)
    ]
    return held + proposed


def erase(uow: UnitOfWork, corp: CorpId, external_user: ExternalUserId) -> None:
    """Forget every tag on the customer here."""
    for table in (FollowTagRow, PersonalTagRow, TagSuggestionRow, ChatTagHitRow):
        uow.session.execute(
            delete(table).where(col(table.corp_id) == corp, col(table.external_userid) == external_user)
        )
