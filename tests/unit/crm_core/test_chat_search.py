"""Search over sealed messages: what is found, what is not, and what the index gives away."""

from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from bot.ciphers import open_cipher
from crm_core.chat import blind, search
from crm_core.chat.model import ChatMessage, Conversation, Party, PartyKind
from crm_core.chat.search import Search
from crm_core.chat.store import ChatStore
from crm_core.chat.words import alike, holds, pieces, pieces_asked, words_asked
from crm_core.config import Settings
from crm_core.errors import InputInvalid
from tests.support.ground import CORP, FRIDAY_MORNING, OTHER_CORP, Ground

KEY = Settings(secret_key=SecretStr("k" * 40))
WITH_XIAO = Conversation.single("zhang", "wm_xiao")
WITH_YAN = Conversation.single("li", "wm_yan")
GROUP = Conversation.group("wr_owners")


def said(number: int, words: str, *, where: Conversation = WITH_XIAO, by: Party | None = None, **more) -> ChatMessage:
    who = by or Party(PartyKind.CUSTOMER, where.external_user or "wm_xiao")
    fields = {"source": "archive", "kind": "text", "body": {"content": words}, "seq": number}
    sent_at = FRIDAY_MORNING + timedelta(minutes=number)
    return ChatMessage(
        **{
            "msgid": f"m{number}",
            "conversation": where,
            "sender": who,
            "sent_at": sent_at,
            "text": words,
            **fields,
            **more,
        }
    )


@pytest.fixture
def store() -> ChatStore:
    return ChatStore(open_cipher(KEY), ())


def append(ground: Ground, store: ChatStore, *messages: ChatMessage, corp=CORP) -> None:
    with ground.committed() as uow:
        store.append(uow, corp, messages)


def found(ground: Ground, store: ChatStore, words: str = "", *, corp=CORP, **wanted) -> list[str]:
    with ground.reading() as session:
        hits = search.find(session, store, corp, Search(words=words, **wanted))
    assert hits.next_cursor == ""
    return [one.message.msgid for one in hits.items]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("請問這款門的價格", "价格"),
        ("ＩＰＨＯＮＥ 15", "iphone"),
        ("定制衣柜多少钱？", "衣柜 多少钱"),
        ("好", "好"),
        ("订单A1024已发货", "a1024"),
        ("微信\U0001f600谢谢", "\U0001f600"),
    ],
)
def test_spellings_of_one_word_are_found(ground: Ground, store: ChatStore, text: str, asked: str) -> None:
    append(ground, store, said(1, text), said(2, "完全无关的句子"))
    assert found(ground, store, asked) == ["m1"]


@pytest.mark.parametrize("asked", ["格价", "这款价格", "柜衣", "aa"])
def test_pieces_that_stand_apart_are_no_word(ground: Ground, store: ChatStore, asked: str) -> None:
    append(ground, store, said(1, "这款门的价格很好 aba 衣柜"))
    assert found(ground, store, asked) == []


def test_a_candidate_of_the_index_is_checked_against_its_text(ground: Ground, store: ChatStore) -> None:
    append(ground, store, said(1, "北京城 京都 都市"), said(2, "北京都市"))  # the first has every pair of 北京都
    assert found(ground, store, "北京都") == ["m2"]


def test_filters_narrow_alone_and_together(ground: Ground, store: ChatStore) -> None:
    staff = Party(PartyKind.STAFF, "zhang")
    append(
        ground,
        store,
        said(1, "价格多少"),
        said(2, "价格表发您", by=staff, kind="file"),
        said(3, "价格呢", where=WITH_YAN),
        said(4, "群里的价格", where=GROUP, by=staff),
        said(5, "价格下周变", sent_at=FRIDAY_MORNING + timedelta(days=3)),
    )
    append(ground, store, said(1, "别家的价格"), corp=OTHER_CORP)
    assert found(ground, store, "价格") == ["m5", "m4", "m3", "m2", "m1"]
    assert found(ground, store, "价格", staff="zhang") == ["m5", "m4", "m2", "m1"]
    assert found(ground, store, "价格", external_user="wm_yan") == ["m3"]
    assert found(ground, store, "价格", chat="wr_owners") == ["m4"]
    assert found(ground, store, "价格", kind="file") == ["m2"]
    assert found(ground, store, "价格", since=FRIDAY_MORNING + timedelta(days=1)) == ["m5"]
    assert found(ground, store, "价格", until=FRIDAY_MORNING + timedelta(minutes=3)) == ["m2", "m1"]
    hour = timedelta(hours=1)
    assert found(ground, store, since=FRIDAY_MORNING, until=FRIDAY_MORNING + hour, external_user="wm_xiao") == [
        "m2",
        "m1",
    ]
    assert found(ground, store, "价格", corp=OTHER_CORP) == ["m1"]
    long_ago = FRIDAY_MORNING - timedelta(days=900)
    assert found(ground, store, "价格", since=long_ago, conversation=WITH_YAN) == ["m3"]


def test_nobody_finds_what_is_out_of_their_sight(ground: Ground, store: ChatStore) -> None:
    append(ground, store, said(1, "价格"), said(2, "价格", where=WITH_YAN), said(3, "价格", where=GROUP))
    append(
        ground, store, said(4, "价格", where=Conversation.internal("zhang", "li"), by=Party(PartyKind.STAFF, "zhang"))
    )
    assert found(ground, store, "价格", visible=frozenset({"zhang"})) == ["m1"]
    assert found(ground, store, "价格", visible=frozenset({"li", "zhang"})) == ["m2", "m1"]
    assert found(ground, store, "价格", visible=frozenset({f"s{n}" for n in range(300)} | {"li"})) == ["m2"]
    assert found(ground, store, "价格", visible=frozenset()) == []


def test_pages_go_on_where_they_ended(ground: Ground, store: ChatStore) -> None:
    append(ground, store, *(said(number, "您好" if number % 3 else "您 好") for number in range(1, 100)))
    seen, cursor = [], ""
    with ground.reading() as session:
        while True:
            hits = search.find(session, store, CORP, Search(words="您好"), cursor=cursor, limit=20)
            seen += [one.position for one in hits.items]
            cursor = hits.next_cursor
            if not cursor:
                break
        assert seen == [number for number in range(99, 0, -1) if number % 3]
        with pytest.raises(InputInvalid):
            search.find(session, store, CORP, Search(words="您好"), cursor="nonsense")
        with pytest.raises(InputInvalid, match="100 个字"):
            search.find(session, store, CORP, Search(words="长" * 101))


def test_old_messages_are_found_behind_the_newest(
    ground: Ground, store: ChatStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blind, "RECENT", 5)  # PostgreSQL looks through the newest and asks the index for the others
    append(ground, store, *(said(number, "您好" if number % 2 else "再见") for number in range(1, 40)))
    assert found(ground, store, "您好") == [f"m{number}" for number in range(39, 0, -2)]
    assert found(ground, store, "您好", external_user="wm_xiao", until=FRIDAY_MORNING + timedelta(minutes=4)) == [
        "m3",
        "m1",
    ]
    with ground.reading() as session:
        first = search.find(session, store, CORP, Search(words="您好"), limit=7)
        rest = search.find(session, store, CORP, Search(words="您好"), cursor=first.next_cursor, limit=50)
    assert [one.position for one in (*first.items, *rest.items)] == list(range(39, 0, -2))


def test_the_index_holds_no_text(ground: Ground, store: ChatStore) -> None:
    append(ground, store, said(1, "secretword"))
    with ground.reading() as session:
        is_sqlite = session.connection().dialect.name == "sqlite"
        dump = (
            "SELECT group_concat(hex(block)) FROM chat_words_data"
            if is_sqlite
            else "SELECT hashes::text FROM chat_words"
        )
        kept = str(session.execute(text(dump)).scalar())
    assert kept
    assert b"se".hex().upper() not in kept or "secretword" not in kept
    with ground.reading() as session:
        other = ChatStore(open_cipher(KEY), ())
        mine, again = store.blinder(session), other.blinder(session)
    assert mine
    assert again
    assert mine.hash("价格") == again.hash("价格")
    assert mine.hash("价格") != type(mine)(b"0" * 32).hash("价格")


def test_pieces_and_words() -> None:
    assert pieces("價格 ok") == {"价", "格", "价格", "o", "k", "ok"}
    assert words_asked(" 價格  价格 OK ") == ("价格", "ok")
    assert pieces_asked(("价格", "好")) == {"价格", "好"}
    assert len(pieces_asked(("".join(chr(0x4E00 + n) for n in range(90)),))) <= 24
    assert holds("這個價格ＯＫ", ("价格", "ok"))
    assert alike("ABC") == "abc"
