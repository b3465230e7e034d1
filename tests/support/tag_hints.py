"""A rule, a message that fits it, and the suggestion that comes of it."""

from crm_core.chat.model import ChatMessage, Conversation, Party, PartyKind
from crm_core.ids import AppKey, ExternalUserId, StaffUserId
from tagging import chat_rule_book
from tagging.chat_reader import ChatTagReader
from tagging.chat_rule_book import ChatRuleForm
from tagging.chat_rules import Conditions
from tests.sidebar_house import CORP, WANG, ZHANG, House

PRICEY = "t_b2"


def hint(
    house: House, text: str, *, staff: StaffUserId = ZHANG, who: ExternalUserId = WANG, mode: str = "suggest"
) -> int:
    """The id of a new suggestion for 10 万以上."""
    with house.db.unit() as uow:
        form = ChatRuleForm(name="问价", tag_id=PRICEY, mode=mode, conditions=Conditions(words=("多少钱",)))
        rule = chat_rule_book.one_at_work(uow.session, CORP, chat_rule_book.create(uow, CORP, form, actor="test"))
        message = ChatMessage(
            msgid="m1",
            source="archive",
            conversation=Conversation.single(staff, who),
            sender=Party(PartyKind.CUSTOMER, who),
            sent_at=uow.now(),
            kind="text",
            text=text,
            body={"content": text},
        )
        stored = house.chats.append(uow, CORP, [message])
        reader = ChatTagReader({CORP: AppKey("main")})
        (number,) = reader.record(uow, CORP, reader.by_words(CORP, [rule], stored))
        uow.commit()
    return number
