"""Sensitive words in a whole house: a message is said, a hit is kept, people are told."""

from datetime import timedelta

import pytest

from crm_core import erasure, staff, tasks
from crm_core.chat.model import Conversation
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.events import StaffUpdated
from crm_core.ids import CorpId, ExternalUserId, StaffUserId
from crm_core.roles import Role, Scope, give
from crm_core.sensitive import figures, hits, importing, official, trial, words
from crm_core.sensitive.hits import Hit, HitFilter
from crm_core.sensitive.rulebook import Options
from crm_core.sensitive.words import CategoryForm
from tests.support.chats import message, say, written_cards
from tests.support.product import InProcess

STAFF, SUPERVISOR, CUSTOMER = "zhang.san", "ChenJing", "wm_sensitive_1"
SINGLE = Conversation.single(STAFF, CUSTOMER)


@pytest.fixture
def house(product: InProcess) -> InProcess:
    """The built-in company, known to the product, with a supervisor over everybody."""
    with product.house.db.unit() as uow:
        gateway = product.house.gateways.of(product.corp)
        staff.apply_departments(uow, product.corp, gateway.list_departments())
        for department in gateway.list_departments():
            for member in gateway.list_staff_of(department.dept_id):
                staff.apply_staff(uow, product.corp, member)
        uow.commit()
    with product.house.db.unit() as uow:
        give(uow, product.corp, StaffUserId(SUPERVISOR), Role.SUPERVISOR, Scope.CORP, actor="test")
        uow.commit()
    return product


def category(house: InProcess, *entries: str, **form: object) -> int:
    """A category with live words."""
    with house.house.db.unit() as uow:
        name = str(form.pop("name", "飞单"))
        made = words.save(uow, house.corp, CategoryForm(name=name, **form), actor="test")
        if entries:
            words.add(uow, house.corp, made, entries, kind="word", actor="test", state="live")
        uow.commit()
    return made


def found(house: InProcess, **wanted: object) -> list[Hit]:
    with house.house.db.reading() as session:
        return list(house.house.chat.sensitive.hits.page(session, house.corp, HitFilter(**wanted), None).items)


def test_a_hit_keeps_the_message_its_place_and_whom_it_concerns(house: InProcess):
    category(house, "私下转账")
    now = house.clock.now()
    say(house, message(SINGLE, STAFF, "您好", now), message(SINGLE, STAFF, "要不您私·下·转·账给我", now))
    [hit] = found(house)
    assert hit.text == "要不您私·下·转·账给我"
    assert [(place.start, place.end, place.name) for place in hit.places] == [(3, 10, "私下转账")]
    assert (hit.staff, hit.external_user, hit.sender, hit.state) == (STAFF, CUSTOMER, STAFF, "open")
    assert hit.parts == (("要不您", False), ("私·下·转·账", True), ("给我", False))
    assert hit.position == 2


def test_the_text_of_a_hit_is_sealed_at_rest(house: InProcess):
    category(house, "私下转账")
    say(house, message(SINGLE, STAFF, "私下转账", house.clock.now()))
    with house.house.db.reading() as session:
        [raw] = session.connection().exec_driver_sql("SELECT content FROM sensitive_hits").scalars()
    assert "私下转账".encode() not in bytes(raw)


def test_a_message_read_twice_is_one_hit(house: InProcess):
    category(house, "私下转账")
    say(house, message(SINGLE, STAFF, "私下转账", house.clock.now()))
    with house.house.db.unit() as uow:
        stored = house.house.chat.store.read(uow.session, house.corp, 1, 1)
        house.house.chat.sensitive.reader.read(uow, house.corp, stored, live=True)
        uow.commit()
    assert len(found(house)) == 1


def test_the_supervisor_is_told_with_the_words_and_a_link(house: InProcess):
    category(house, "私下转账", severity=3)
    say(house, message(SINGLE, STAFF, "<b>私下转账</b>", house.clock.now()))
    [(people, card)] = written_cards(house)
    assert people == [SUPERVISOR]
    assert card["title"].startswith("【严重】飞单：私下转账")
    assert "&lt;b&gt;【私下转账】" in card["description"]
    assert card["url"].endswith(f"/console/hits/{found(house)[0].id}")


def test_long_words_fit_into_the_notice_of_wecom(house: InProcess):
    category(house, "私下转账")
    say(house, message(SINGLE, STAFF, "私" + "·&" * 5 + "下转账" + "<" * 300, house.clock.now()))
    [(_people, card)] = written_cards(house)
    assert len(card["description"].encode()) <= 512
    assert len(card["title"].encode()) <= 128


def test_many_hits_at_once_are_summed_up(house: InProcess):
    category(house, "私下转账")
    say(house, *(message(SINGLE, STAFF, f"私下转账{number}", house.clock.now()) for number in range(9)))
    cards = [card for _people, card in written_cards(house)]
    assert len(cards) == 4
    assert cards[-1]["title"] == "另有 6 条敏感词命中"


def test_staff_are_warned_when_the_category_says_so(house: InProcess):
    category(house, "私下转账", tells_supervisor=False, tells_staff=True)
    say(house, message(SINGLE, STAFF, "私下转账", house.clock.now()))
    assert [people for people, _card in written_cards(house)] == [[STAFF]]


def test_history_tells_nobody(house: InProcess):
    category(house, "私下转账")
    say(house, message(SINGLE, STAFF, "私下转账", house.clock.now()), live=False)
    assert len(found(house)) == 1
    assert written_cards(house) == []


@pytest.mark.parametrize(
    ("form", "is_hit"),
    [
        ({"side": "staff"}, True),
        ({"side": "customer"}, False),
        ({"kinds": ("group",)}, False),
        ({"departments": (999,)}, False),
        ({"is_enabled": False}, False),
    ],
    ids=["staff", "customer", "groups only", "another department", "switched off"],
)
def test_a_category_looks_only_where_it_is_told_to(house: InProcess, form: dict, is_hit: bool):
    category(house, "私下转账", **form)
    say(house, message(SINGLE, STAFF, "私下转账", house.clock.now()))
    assert bool(found(house)) is is_hit


def test_chosen_groups(house: InProcess):
    category(house, "私下转账", chats="chosen", chat_ids=("wr_1",))
    for chat in ("wr_1", "wr_2"):
        say(house, message(Conversation.group(chat), "wm_9", "私下转账", house.clock.now(), by="customer"))
    assert [hit.conversation.key for hit in found(house)] == ["wr_1"]


def test_a_changed_word_is_in_force_for_the_next_message(house: InProcess):
    made = category(house, "私下转账")
    say(house, message(SINGLE, STAFF, "走私单", house.clock.now()))
    with house.house.db.unit() as uow:
        words.add(uow, house.corp, made, ["走私单"], kind="word", actor="test", state="live")
        uow.commit()
    say(house, message(SINGLE, STAFF, "还是走私单", house.clock.now()))
    assert [hit.word for hit in found(house)] == ["走私单"]


def test_drafts_hit_nothing_until_they_go_live(house: InProcess):
    made = category(house)
    with house.house.db.unit() as uow:
        words.add(uow, house.corp, made, ["私下转账"], kind="word", actor="test")
        uow.commit()
    say(house, message(SINGLE, STAFF, "私下转账", house.clock.now()))
    assert found(house) == []


def test_sensitive_acts(house: InProcess):
    category(house, acts=("red_packet", "card", "deleted"), name="行为")
    packet = {"type": 1, "wish": "恭喜", "totalcnt": 1, "totalamount": 8800}
    now = house.clock.now()
    say(
        house,
        message(SINGLE, STAFF, "", now, kind="external_redpacket", body=packet),
        message(SINGLE, STAFF, "价格.xlsx", now, kind="file", body={}),
    )
    house.receive(house.contact_xml("del_external_contact", STAFF, CUSTOMER))
    house.work()
    assert sorted(hit.word for hit in found(house)) == ["发红包", "员工删除客户"]
    assert "红包“恭喜”，共 88.00 元" in {hit.text for hit in found(house)}


def test_judging_assigning_and_taking_back(house: InProcess):
    category(house, "私下转账")
    say(house, *(message(SINGLE, STAFF, f"私下转账{number}", house.clock.now()) for number in range(3)))
    ids = [hit.id for hit in found(house)]
    with house.house.db.unit() as uow:
        former = hits.judge(uow, house.corp, ids[:2], "false_alarm", None, actor=SUPERVISOR, note="玩笑")
        due = house.clock.now() + timedelta(days=2)
        assert hits.assign(uow, house.corp, ids[:1], STAFF, due, None, actor=SUPERVISOR) == 1
        uow.commit()
    assert former == dict.fromkeys(ids[:2], "open")
    assert len(found(house, state="open")) == 1
    judged = found(house, state="false_alarm")
    assert {hit.note for hit in judged} == {"玩笑"}
    assert judged[0].assignee == STAFF
    with house.house.db.reading() as session:
        [line] = figures.lines(session, house.corp, "staff", None, since_week="2026-01-01")
    assert (line.total, line.open, line.false_alarms, line.false_share) == (3, 1, 2, 100)


def test_out_of_sight_is_not_there(house: InProcess):
    category(house, "私下转账")
    say(house, message(SINGLE, STAFF, "私下转账", house.clock.now()))
    [hit] = found(house)
    others = frozenset({"somebody.else"})
    with house.house.db.unit() as uow:
        assert hits.judge(uow, house.corp, [hit.id], "confirmed", others, actor="x") == {}
        with pytest.raises(NotFound):
            house.house.chat.sensitive.hits.get(uow.session, house.corp, hit.id, others)
        with pytest.raises(NotFound):
            house.house.chat.sensitive.hits.get(uow.session, CorpId("other"), hit.id, None)


def test_statistics_by_everything(house: InProcess):
    category(house, "私下转账")
    say(house, message(SINGLE, STAFF, "私下转账", house.clock.now()))
    with house.house.db.reading() as session:
        for by in figures.BY:
            [line] = figures.lines(session, house.corp, by, None, since_week="2026-01-01")
            assert line.total == 1
            assert line.name
            assert figures.lines(session, house.corp, by, frozenset({"x"}), since_week="2026-01-01") == []


def test_erasing_a_customer_takes_the_words_of_their_hits(house: InProcess):
    category(house, "私下转账")
    house.receive(house.add_xml(STAFF, CUSTOMER))
    house.work()
    say(house, message(SINGLE, CUSTOMER, "私下转账", house.clock.now(), by="customer"))
    with house.house.db.unit() as uow:
        erasure.erase(uow, house.corp, ExternalUserId(CUSTOMER), actor="test")
        uow.commit()
    [hit] = found(house)
    assert (hit.text, hit.places) == ("", ())
    assert CUSTOMER not in (hit.external_user + hit.sender + hit.conversation.key)


def test_categories_are_checked(house: InProcess):
    category(house)
    for form, error in (
        (CategoryForm(name=""), InputInvalid),
        (CategoryForm(name="飞单"), Conflict),
        (CategoryForm(name="b", kinds=()), InputInvalid),
        (CategoryForm(name="c", owner="nobody"), InputInvalid),
        (CategoryForm(name="d", chats="chosen"), InputInvalid),
        (CategoryForm(name="e", severity=9), InputInvalid),
    ):
        with house.house.db.unit() as uow, pytest.raises(error):
            words.save(uow, house.corp, form, actor="test")


def test_a_removed_category_can_be_brought_back(house: InProcess):
    made = category(house, "私下转账")
    for is_back in (False, True):
        with house.house.db.unit() as uow:
            words.remove(uow, house.corp, made, actor="test", is_back=is_back)
            uow.commit()
        with house.house.db.reading() as session:
            assert [one.id for one in words.listing(session, house.corp)] == ([made] if is_back else [])


def test_import_names_what_is_double(house: InProcess):
    category(house, "私下转账")
    given = [
        ("词语", "分类", "类型"),
        ("私下轉账", "", ""),
        ("飞单", "新分类", ""),
        ("飞 单", "", ""),
        ("(", "", "正则"),
        ("x", "", "怪"),
    ]
    lines = importing.lines_of_rows(given)
    with house.house.db.unit() as uow:
        judged = importing.judged(uow.session, house.corp, lines, "飞单")
        added = importing.take(uow, house.corp, judged, "飞单", actor="test", state="draft")
        uow.commit()
    assert [one.state for one in judged] == ["known", "new", "double", "faulty", "faulty"]
    assert judged[0].said == "已有“私下转账”，分类“飞单”"
    assert judged[2].said == "与第 3 行等价"
    assert added == 1
    with house.house.db.reading() as session:
        assert sorted(one.form.name for one in words.listing(session, house.corp)) == ["新分类", "飞单"]


def test_the_starter_set_comes_as_drafts_once(house: InProcess):
    with house.house.db.unit() as uow:
        first = words.take_starter(uow, house.corp, ["insult", "kickback"], actor="test")
        again = words.take_starter(uow, house.corp, ["insult"], actor="test")
        uow.commit()
    assert first > 40
    assert again == 0
    with house.house.db.reading() as session:
        listed = words.listing(session, house.corp)
    assert {one.form.name for one in listed} == {"辱骂客户", "回扣与好处费"}
    assert sum(one.live for one in listed) == 0


def test_a_trial_tells_what_a_draft_would_have_hit(house: InProcess):
    made = category(house)
    now = house.clock.now()
    said = [message(SINGLE, STAFF, f"请私下转账 {number}", now - timedelta(days=number)) for number in (1, 20, 40)]
    say(house, *said, message(SINGLE, STAFF, "您好", now - timedelta(days=1)))
    with house.house.db.unit() as uow:
        words.add(uow, house.corp, made, ["私下转账", "飞单"], kind="word", actor="test")
        ids = [one.id for one in words.words(uow.session, house.corp, made)]
        task = tasks.ask(
            uow,
            corp=house.corp,
            app=house.house.gateways.of(house.corp).app_key,
            kind="sensitive.trial",
            title="试运行",
            asked={"words": ids},
            scope=None,
            created_by="test",
        )
        uow.commit()
    house.work()
    with house.house.db.reading() as session:
        cipher = house.house.chat.sensitive.cipher
        assert tasks.get(session, house.corp, task).state == "done"
        view = trial.view(session, cipher, house.corp, task, ["私下转账", "飞单"])
    assert (view.messages, view.hit) == (3, 2)
    assert [(one.word, one.messages, len(one.examples)) for one in view.words] == [("私下转账", 2, 2), ("飞单", 0, 0)]
    assert view.words[0].examples[0].parts[1] == "私下转账"


def push(house: InProcess) -> int:
    with house.house.db.unit() as uow:
        asked = official.push(uow, house.corp, house.house.gateways.of(house.corp).app_key, actor="test")
        uow.commit()
    house.clock.advance(seconds=5)
    house.work()
    return asked


def states(house: InProcess) -> dict[str, str]:
    with house.house.db.reading() as session:
        return {one.name: one.state for one in official.differences(session, house.corp)}


def look(house: InProcess) -> None:
    """Have WeCom's rules read, and let it come about."""
    with house.house.db.unit() as uow:
        official.look(uow, house.corp, house.house.gateways.of(house.corp).app_key)
        uow.commit()
    house.work()


def test_categories_become_rules_of_wecom_and_stay_in_step(house: InProcess):
    made = category(house, "私下转账", "x" * 40, intercept=1, options=Options(homophones=True))
    assert states(house) == {"飞单": "missing"}
    assert push(house) == 1
    look(house)
    assert states(house) == {"飞单": "same"}
    rules = house.wecom.world.corps[house.corp].intercept_rules
    [rule] = rules.values()
    assert (rule.name, rule.words, rule.kind) == ("飞单", ["私下转账"], 1)

    rule.words.append("别处加的")
    look(house)
    assert states(house) == {"飞单": "different"}
    assert push(house) == 1
    look(house)
    assert states(house) == {"飞单": "same"}

    with house.house.db.unit() as uow:
        words.remove(uow, house.corp, made, actor="test")
        uow.commit()
    assert states(house) == {"飞单": "surplus"}
    push(house)
    assert rules == {}


def test_a_rule_that_wecom_refuses_says_why(house: InProcess):
    category(house, "私下转账", intercept=2)
    house.wecom.options.change({"intercept_rule_limit": 0})
    push(house)
    assert states(house) == {"飞单": "refused"}


def test_a_changed_userid_is_carried_through_hits_and_owners(house: InProcess):
    made = category(house, "私下转账", owner=STAFF)
    say(house, message(SINGLE, STAFF, "私下转账", house.clock.now()))
    event = StaffUpdated(
        corp=house.corp,
        app=house.house.gateways.of(house.corp).app_key,
        occurred_at=house.clock.now(),
        key="renamed",
        received_ms=0,
        staff=StaffUserId(STAFF),
        new_staff=StaffUserId("zhang.new"),
        fields={},
    )
    with house.house.db.unit() as uow:
        hits.rename_staff(event, uow)
        uow.commit()
    with house.house.db.reading() as session:
        assert words.get(session, house.corp, made).form.owner == "zhang.new"
    assert [hit.staff for hit in found(house)] == ["zhang.new"]
