"""From a message to a tag: suggested or applied, once, with its proof; confirmed, dismissed, undone."""

import pytest
from sqlmodel import select

from crm_core import customers
from crm_core.chat.model import Conversation, Party, PartyKind
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.events import CustomerFetched, StaffUpdated, TagsMarked
from crm_core.ids import CorpId, StaffUserId, TagId
from crm_core.ports import FollowFacts, TagMark
from crm_core.tables import OutboxRow
from tagging import chat_rule_book, erasure, handlers, service, suggestion_list, suggestions
from tagging.chat_rule_book import ChatRuleForm
from tagging.chat_rules import Conditions
from tests.chat_tag_house import BUDGET, HURRY, ChatTagHouse, message
from tests.support.ground import APP, CORP, LI, XIAO, ZHANG


def test_a_rule_suggests_with_its_proof(chat_tags: ChatTagHouse) -> None:
    number = chat_tags.rule(words=("多少钱",))
    chat_tags.hear("您好", "这款沙发多少钱？")
    (row,) = chat_tags.rows()
    assert (row.staff_userid, row.external_userid, row.tag_id, row.state) == (ZHANG, XIAO, BUDGET, "suggested")
    assert (row.source, row.origin, row.version, row.position, row.confidence) == (f"rule:{number}", "rule", 1, 2, 0.8)
    assert chat_tags.marks() == []


def test_a_rule_applies_and_undo_takes_it_back_at_wecom_for_good(chat_tags: ChatTagHouse) -> None:
    chat_tags.rule(words=("多少钱",), mode="apply")
    chat_tags.hear("多少钱", "到底多少钱")
    assert chat_tags.states() == [(BUDGET, "applied")]
    assert chat_tags.marks() == [([BUDGET], [])]
    (cause,) = chat_tags.ground.all(select(OutboxRow.cause).where(OutboxRow.kind == "mark_tag"))
    assert cause == suggestions.CAUSE
    chat_tags.settle_marks()
    chat_tags.act("undo")
    assert chat_tags.marks() == [([BUDGET], []), ([], [BUDGET])]
    chat_tags.settle_marks()
    chat_tags.hear("多少钱", "那多少钱")
    assert chat_tags.states() == [(BUDGET, "undone")]
    assert chat_tags.carried() == {}


def test_confirm_undo_and_confirm_again_are_told_to_wecom_each_time(chat_tags: ChatTagHouse) -> None:
    chat_tags.rule(words=("多少钱",))
    chat_tags.hear("多少钱")
    for act in ("confirm", "confirm", "undo", "undo", "confirm"):
        chat_tags.act(act)
        chat_tags.settle_marks()
    assert chat_tags.marks() == [([BUDGET], []), ([], [BUDGET]), ([BUDGET], [])]
    assert [(row.state, row.settled_by) for row in chat_tags.rows()] == [("confirmed", ZHANG)]


def test_what_was_dismissed_can_be_reopened_and_nothing_else(chat_tags: ChatTagHouse) -> None:
    chat_tags.rule(words=("多少钱",))
    chat_tags.hear("多少钱")
    chat_tags.act("dismiss")
    chat_tags.hear("多少钱")
    assert chat_tags.states() == [(BUDGET, "dismissed")]
    with pytest.raises(Conflict):
        chat_tags.act("undo")
    chat_tags.act("reopen")
    assert chat_tags.states() == [(BUDGET, "suggested")]
    chat_tags.act("confirm")
    for act in ("dismiss", "reopen"):
        with pytest.raises(Conflict):
            chat_tags.act(act)
    with pytest.raises(NotFound):
        chat_tags.act("confirm", 999)


def test_a_changed_rule_may_ask_again_but_not_apply(chat_tags: ChatTagHouse) -> None:
    number = chat_tags.rule(words=("多少钱",), mode="apply")
    chat_tags.hear("多少钱")
    chat_tags.settle_marks()
    chat_tags.act("undo")
    chat_tags.settle_marks()
    with chat_tags.ground.committed() as uow:
        form = ChatRuleForm(name="规则", tag_id=BUDGET, mode="apply", conditions=Conditions(words=("报价",)))
        chat_rule_book.change(uow, CORP, number, form)
    chat_tags.hear("多少钱", "发个报价")
    assert [(row.state, row.version, row.position) for row in chat_tags.rows()] == [("suggested", 2, 3)]


def test_two_rules_for_one_tag_are_one_question(chat_tags: ChatTagHouse) -> None:
    chat_tags.rule(words=("多少钱",))
    chat_tags.rule(words=("沙发",))
    chat_tags.hear("沙发多少钱")
    assert len(chat_tags.rows()) == 2
    with chat_tags.ground.reading() as session:
        (shown,) = suggestion_list.of_follow(
            session, CORP, ZHANG, XIAO, since=chat_tags.ground.at(-60), just_now=chat_tags.ground.at(60)
        )
    assert (shown.tag_name, shown.group_name, shown.origin) == ("问价格", "意向", "rule")
    chat_tags.act("confirm", shown.id)
    assert [state for _, state in chat_tags.states()] == ["confirmed", "confirmed"]
    with chat_tags.ground.reading() as session:
        assert (
            suggestion_list.of_follow(
                session, CORP, ZHANG, XIAO, since=chat_tags.ground.at(-60), just_now=chat_tags.ground.at(60)
            )
            == []
        )


def test_what_one_rule_was_refused_for_another_only_asks(chat_tags: ChatTagHouse) -> None:
    chat_tags.rule(words=("多少钱",))
    chat_tags.hear("多少钱")
    chat_tags.act("dismiss")
    chat_tags.rule(words=("沙发",), mode="apply")
    chat_tags.hear("沙发")
    assert [state for _, state in chat_tags.states()] == ["dismissed", "suggested"]
    assert chat_tags.marks() == []


def test_counting_rules_wait_until_there_is_enough(chat_tags: ChatTagHouse) -> None:
    chat_tags.rule(words=("多少钱",), at_least=3, within_days=2)
    chat_tags.hear("多少钱")
    chat_tags.hear("多少钱", minutes=3 * 1440)
    chat_tags.hear("多少钱", minutes=4 * 1440)
    assert chat_tags.rows() == []
    chat_tags.hear("多少钱", minutes=4 * 1440)
    assert chat_tags.states() == [(BUDGET, "suggested")]


def test_a_stage_a_speaker_and_a_living_follow_are_asked_for(chat_tags: ChatTagHouse) -> None:
    chat_tags.rule(words=("多少钱",), stages=("won",))
    chat_tags.rule(words=("报价",), speaker="staff", tag=HURRY)
    chat_tags.hear("多少钱", "报价")
    chat_tags.hear("多少钱", who="wm_stranger")
    assert chat_tags.rows() == []
    chat_tags.hear("这是报价", by=ZHANG)
    assert chat_tags.states() == [(HURRY, "suggested")]
    with chat_tags.ground.committed() as uow:
        customers.change_stage(uow, CORP, XIAO, stage="won", staff=ZHANG, note="")
    chat_tags.hear("多少钱")
    assert chat_tags.states() == [(HURRY, "suggested"), (BUDGET, "suggested")]


def test_groups_and_customer_service_count_for_the_longest_follow_and_robots_never(chat_tags: ChatTagHouse) -> None:
    chat_tags.rule(words=("多少钱",))
    chat_tags.rule(words=("着急",), tag=HURRY)
    chat_tags.ground.handle(chat_tags.ground.added(0, staff=LI), customers.record_follow)
    chat_tags.hear("多少钱", where=Conversation.group("wr_1"))
    chat_tags.hear("着急", where=Conversation.kf("wk", XIAO))
    robot = message(50, "多少钱")
    chat_tags.keep(
        [type(robot)(**{**{f: getattr(robot, f) for f in robot.__slots__}, "sender": Party(PartyKind.ROBOT, "r")})]
    )
    chat_tags.hear("多少钱", by=LI, where=Conversation.internal(ZHANG, LI))
    assert [(row.staff_userid, row.tag_id) for row in chat_tags.rows()] == [(ZHANG, BUDGET), (ZHANG, HURRY)]


def test_history_is_left_to_a_back_fill(chat_tags: ChatTagHouse) -> None:
    chat_tags.rule(words=("多少钱",))
    chat_tags.hear("多少钱", live=False)
    assert chat_tags.rows() == []


def test_a_tag_that_is_there_or_gone_is_not_suggested(chat_tags: ChatTagHouse) -> None:
    chat_tags.rule(words=("多少钱",))
    chat_tags.rule(words=("着急",), tag=HURRY)
    with chat_tags.ground.committed() as uow:
        service.request_marks(
            uow, corp=CORP, app=APP, staff=ZHANG, external_user=XIAO, add=[BUDGET], source="staff", dedupe_key="s"
        )
        service.forget_tags(uow, CORP, [HURRY])
    chat_tags.hear("多少钱", "着急")
    assert chat_tags.rows() == []


def marked(house: ChatTagHouse, *, added: str = "", removed: str = "", cause: str = "") -> TagsMarked:
    return TagsMarked(
        corp=CORP, app=APP, occurred_at=house.ground.clock.now(), key="k", kind="mark_tag", outcome="done", outbox_id=1,
        staff=ZHANG, external_user=XIAO, cause=cause,
        added=(TagId(added),) if added else (), removed=(TagId(removed),) if removed else (),
    )  # fmt: skip


def test_setting_or_taking_the_tag_elsewhere_answers_too(chat_tags: ChatTagHouse) -> None:
    chat_tags.rule(words=("多少钱",))
    chat_tags.hear("多少钱")
    chat_tags.ground.handle(marked(chat_tags, added=BUDGET, cause="radar"), suggestions.note_marked)
    assert chat_tags.states() == [(BUDGET, "suggested")]
    chat_tags.ground.handle(marked(chat_tags, added=BUDGET), suggestions.note_marked)
    assert chat_tags.states() == [(BUDGET, "confirmed")]
    chat_tags.ground.handle(marked(chat_tags, removed=BUDGET), suggestions.note_marked)
    assert chat_tags.states() == [(BUDGET, "undone")]


def fetched(house: ChatTagHouse, *tags: str) -> CustomerFetched:
    marks = tuple(TagMark(kind=1, name="", tag_id=TagId(tag)) for tag in tags)
    return house.ground.fetched(FollowFacts(staff=ZHANG, tags=marks))


def test_a_tag_taken_off_at_wecom_counts_as_undone(chat_tags: ChatTagHouse) -> None:
    chat_tags.rule(words=("多少钱",), mode="apply")
    chat_tags.hear("多少钱")
    chat_tags.ground.handle(fetched(chat_tags), suggestions.note_fetched)
    assert chat_tags.states() == [(BUDGET, "applied")]  # it is still on its way
    chat_tags.settle_marks()
    chat_tags.ground.handle(fetched(chat_tags, BUDGET), suggestions.note_fetched)
    assert chat_tags.states() == [(BUDGET, "applied")]
    chat_tags.ground.handle(fetched(chat_tags), suggestions.note_fetched)
    assert [(row.state, row.settled_by) for row in chat_tags.rows()] == [("undone", "wecom")]


def test_a_rules_figures_are_what_people_said(chat_tags: ChatTagHouse) -> None:
    number = chat_tags.rule(words=("多少钱",))
    chat_tags.hear("多少钱")
    chat_tags.act("confirm")
    with chat_tags.ground.reading() as session:
        view = chat_rule_book.get(session, CORP, number)
        (told,) = suggestion_list.of_source(session, CORP, f"rule:{number}")
        assert chat_rule_book.names(session, CORP) == {f"rule:{number}": "规则"}
    assert (view.judgement.right, view.judgement.precision, round(view.judgement.trust, 2)) == (1, 1.0, 0.83)
    assert (told.state, told.settled_by) == ("confirmed", ZHANG)
    with pytest.raises(NotFound):
        chat_tags.ground.handle(None, lambda _, uow: chat_rule_book.switch(uow, CorpId("other"), number))


def test_rules_are_checked_changed_and_deleted(chat_tags: ChatTagHouse) -> None:
    number = chat_tags.rule(words=("多少钱",))
    with chat_tags.ground.committed() as uow:
        with pytest.raises(InputInvalid) as caught:
            chat_rule_book.create(uow, CORP, ChatRuleForm(name="x", tag_id=BUDGET), actor="t")
        assert caught.value.field == "words"
        form = chat_rule_book.get(uow.session, CORP, number).form
        chat_rule_book.change(uow, CORP, number, form)
        assert chat_rule_book.get(uow.session, CORP, number).version == 1
        with pytest.raises(Conflict):
            meaning = Conditions(examples=("一", "二", "三"))
            chat_rule_book.change(
                uow, CORP, number, ChatRuleForm(name="x", kind="meaning", tag_id=BUDGET, conditions=meaning)
            )
        chat_rule_book.delete(uow, CORP, number)
        assert chat_rule_book.listing(uow.session, CORP) == []


def test_erasing_a_customer_and_renaming_a_member_reach_the_suggestions(chat_tags: ChatTagHouse) -> None:

    chat_tags.rule(words=("多少钱",), at_least=2)
    chat_tags.rule(words=("着急",), tag=HURRY)
    chat_tags.hear("多少钱", "着急")
    event = StaffUpdated(
        corp=CORP,
        app=APP,
        occurred_at=chat_tags.ground.clock.now(),
        key="r",
        staff=ZHANG,
        new_staff=StaffUserId("zhang2"),
    )
    chat_tags.ground.handle(event, handlers.rename_staff)
    assert [row.staff_userid for row in chat_tags.rows()] == ["zhang2"]
    with chat_tags.ground.committed() as uow:
        assert erasure.gather(uow.session, CORP, XIAO)[-1]["tag"] == "着急"
        erasure.erase(uow, CORP, XIAO)
    assert chat_tags.rows() == []
