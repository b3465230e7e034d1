"""What customers of the demo company say."""

from crm_core.chat.model import ChatMessage, Conversation, Party, PartyKind
from tests.console_house import Console


def say(console: Console, *texts: str, live: bool = True) -> list[tuple[str, str]]:
    """Customers say something, one after the other. Answers on which follows."""
    house = console.product.house
    with house.db.unit() as uow:
        rows = uow.session.connection().exec_driver_sql(
            "SELECT staff_userid, external_userid FROM follows WHERE status = 'active' ORDER BY id LIMIT 8"
        )
        follows = [(str(staff), str(who)) for staff, who in rows]
        head = house.chat.store.head(uow.session, console.product.corp)
        said = [
            ChatMessage(
                msgid=f"m{head}-{number}", source="archive", conversation=Conversation.single(*follows[number % 8]),
                sender=Party(PartyKind.CUSTOMER, follows[number % 8][1]), sent_at=console.product.clock.now(),
                kind="text", text=text, body={"content": text},
            )
            for number, text in enumerate(texts)
        ]  # fmt: skip
        house.chat.store.append(uow, console.product.corp, said, live=live)
        uow.commit()
    console.product.work()
    return follows
