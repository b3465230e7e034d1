from datetime import timedelta

import pytest
from sqlmodel import select

from crm_core import staff
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.ports import DepartmentFacts, StaffFacts
from materials import favourites, script_desk, service
from materials.model import parse_messages
from materials.script_desk import ScriptQuery
from materials.script_model import ScriptUsage, parse_form
from materials.tables import ScriptGroupRow, ScriptRow
from tests.support.ground import CORP, LI, OTHER_CORP, ZHANG, Ground


def form(group_id: int, title: str = "多少钱", text: str = "先量房再报价", **more):
    return parse_form(group_id=group_id, title=title, messages=[{"text": text}], **more)


@pytest.fixture
def folder(ground: Ground) -> int:
    with ground.committed() as uow:
        return script_desk.create_folder(uow, CORP, "报价")


def titles(ground: Ground, *, corp=CORP, **query) -> list[str]:
    with ground.reading() as session:
        return [one.script.title for one in script_desk.listing(session, corp, ScriptQuery(**query)).items]


def save(ground: Ground, given, *, actor=ZHANG, **more):
    more.setdefault("may_approve", True)
    with ground.committed() as uow:
        return script_desk.save(uow, CORP, actor, given, **more)


def test_who_may_approve_puts_a_script_into_force_at_once(ground, folder):
    made = save(ground, form(folder, keywords="价格，预算", similar=("怎么收费", "怎么收费 ")))
    assert (made.state, made.form.keywords, made.form.similar) == ("approved", "价格 预算", ("怎么收费",))
    with ground.reading() as session:
        found = service.get(session, CORP, made.script_id)
        assert (found.title, found.similar, found.initials) == ("多少钱", ("怎么收费",), "dsq")
        shelf = service.ScriptShelf()
        assert [one.id for one in shelf.search(session, CORP, "怎么收费")] == [made.script_id]
    assert titles(ground, words="dsq") == titles(ground, words="预算") == ["多少钱"]
    assert titles(ground, words="别的") == titles(ground, corp=OTHER_CORP) == []


def test_others_wait_and_what_is_in_force_stays_until_it_is_approved(ground, folder):
    script_id = save(ground, form(folder)).script_id
    draft = save(ground, form(folder, text="新的说法"), actor=LI, may_approve=False, script_id=script_id, submit=False)
    assert draft.state == "draft"
    waiting = save(
        ground, form(folder, text="更新的说法"), actor=LI, may_approve=False, script_id=script_id, proposal_id=draft.id
    )
    assert (waiting.id, waiting.state) == (draft.id, "waiting")

    def text() -> str:
        with ground.reading() as session:
            return service.get(session, CORP, script_id).text

    assert text() == "先量房再报价"
    with ground.committed() as uow:
        with pytest.raises(InputInvalid, match="驳回的原因"):
            script_desk.review(uow, CORP, ZHANG, waiting.id, approve=False)
        with pytest.raises(NotFound):
            script_desk.review(uow, OTHER_CORP, ZHANG, waiting.id, approve=True)
        rejected = script_desk.review(uow, CORP, ZHANG, waiting.id, approve=False, reason="太生硬")
        assert (rejected.state, rejected.reason, rejected.reviewer) == ("rejected", "太生硬", ZHANG)
    again = save(ground, form(folder, text="好说法"), actor=LI, may_approve=False, proposal_id=waiting.id)
    assert (again.id, again.state, again.reason) == (waiting.id, "waiting", "")
    with ground.committed() as uow:
        assert [one.id for one in script_desk.proposals(uow.session, CORP, state="waiting")] == [again.id]
        script_desk.review(uow, CORP, ZHANG, again.id, approve=True)
        with pytest.raises(Conflict):
            script_desk.review(uow, CORP, ZHANG, again.id, approve=True)
        with pytest.raises(Conflict):
            script_desk.withdraw(uow, CORP, LI, again.id)
    assert text() == "好说法"


def test_a_proposal_is_its_authors_until_it_is_decided(ground, folder):
    waiting = save(ground, form(folder), actor=LI, may_approve=False)
    with ground.committed() as uow:
        with pytest.raises(NotFound):
            script_desk.withdraw(uow, CORP, ZHANG, waiting.id)
        with pytest.raises(NotFound):
            script_desk.save(uow, CORP, ZHANG, form(folder), may_approve=False, proposal_id=waiting.id)
        script_desk.withdraw(uow, CORP, LI, waiting.id)
        assert script_desk.proposals(uow.session, CORP, author=LI) == []


def test_scripts_go_out_of_force_when_their_time_is_over(ground, folder):
    script_id = save(ground, form(folder, expires_at=ground.clock.now() + timedelta(days=1))).script_id
    with ground.committed() as uow:
        assert script_desk.expire(uow) == 0
    ground.clock.move(days=1)
    with ground.committed() as uow:
        assert script_desk.expire(uow) == 1
        with pytest.raises(NotFound):
            service.get(uow.session, CORP, script_id)
        assert not script_desk.get(uow.session, CORP, script_id).offered


def test_deleted_scripts_come_back(ground, folder):
    script_id = save(ground, form(folder)).script_id
    with ground.committed() as uow:
        assert script_desk.delete(uow, CORP, ZHANG, [script_id]) == 1
        assert script_desk.undelete(uow, OTHER_CORP, ZHANG, [script_id]) == 0
    assert (titles(ground), titles(ground, deleted=True)) == ([], ["多少钱"])
    with ground.committed() as uow:
        assert script_desk.undelete(uow, CORP, ZHANG, [script_id]) == 1
        assert service.get(uow.session, CORP, script_id).title == "多少钱"


def test_a_script_whose_folder_is_gone_comes_back_in_one_named_for_it(ground, folder):
    script_id = save(ground, form(folder)).script_id
    with ground.committed() as uow:
        script_desk.delete(uow, CORP, ZHANG, [script_id])
        script_desk.delete_folder(uow, CORP, folder)
    assert titles(ground, deleted=True) == ["多少钱"]
    with ground.committed() as uow:
        script_desk.undelete(uow, CORP, ZHANG, [script_id])
        assert script_desk.get(uow.session, CORP, script_id).folder == "恢复的话术"


def test_sends_are_counted_by_script_and_person(ground, folder):
    script_id = save(ground, form(folder)).script_id
    with ground.committed() as uow:
        for who, key in ((ZHANG, "1"), (ZHANG, "2"), (LI, "1")):
            service.record_use(uow, CORP, who, script_id, key=key)
        favourites.mark(uow, CORP, LI, script_id, wanted=True)
        found = script_desk.get(uow.session, CORP, script_id)
    assert found.usage == ScriptUsage(sends=3, people=2, favourites=1)
    assert found.folder == "报价"


def test_team_folders_are_for_the_department_and_personal_ones_for_their_owner(ground, folder):
    with ground.committed() as uow:
        staff.apply_departments(uow, CORP, [DepartmentFacts(dept_id=1), DepartmentFacts(dept_id=2, parent_id=1)])
        staff.apply_staff(uow, CORP, StaffFacts(userid=ZHANG, departments=(2,)))
        team = script_desk.create_folder(uow, CORP, "设计部", scope="team", department_id=1)
        own = ScriptGroupRow(corp_id=CORP, name="我的", scope="personal", owner_userid=LI)
        uow.session.add(own)
        uow.session.flush()
        messages = list(parse_messages([{"text": "私房话"}], field="m"))
        uow.session.add(ScriptRow(corp_id=CORP, group_id=own.id, title="私房", content=messages, changed_at=uow.now()))
    team_script = save(ground, form(team, "团队话术", "团队说法")).script_id
    save(ground, form(folder, "公司话术", "公司说法"))

    def seen(userid) -> set[str]:
        with ground.reading() as session:
            found = service.ScriptShelf().search(session, CORP, "说法 私房话", viewer=userid)
            folders = [one.id for one in service.folders(session, CORP, viewer=userid)]
            listed = {one.title for each in folders for one in service.scripts_of(session, CORP, each)}
            assert {one.title for one in found} == listed
            return listed

    assert seen(ZHANG) == {"公司话术", "团队话术"}
    assert seen(LI) == {"公司话术", "私房"}
    assert set(titles(ground)) == {"公司话术", "团队话术"}
    with ground.reading() as session, pytest.raises(NotFound):
        service.get(session, CORP, team_script, viewer=LI)


def test_folders_are_made_renamed_sorted_and_only_deleted_when_empty(ground, folder):
    with ground.committed() as uow:
        other = script_desk.create_folder(uow, CORP, "售后")
        script_desk.sort_folders(uow, CORP, [other, folder])
        script_desk.rename_folder(uow, CORP, other, "售后服务")
        for wrong, error in (
            ({"name": "报价"}, Conflict),
            ({"name": ""}, InputInvalid),
            ({"name": "a", "scope": "team"}, InputInvalid),
            ({"name": "a", "scope": "personal"}, InputInvalid),
            ({"name": "a", "department_id": 3}, InputInvalid),
        ):
            with pytest.raises(error):
                script_desk.create_folder(uow, CORP, **wrong)
        assert [one.name for one in script_desk.all_folders(uow.session, CORP)] == ["售后服务", "报价"]
    save(ground, form(folder), actor=LI, may_approve=False)
    with ground.committed() as uow:
        with pytest.raises(Conflict):
            script_desk.delete_folder(uow, CORP, folder)
        script_desk.delete_folder(uow, CORP, other)
        with pytest.raises(NotFound):
            script_desk.delete_folder(uow, CORP, other)
        with pytest.raises(NotFound):
            script_desk.save(uow, CORP, ZHANG, form(other), may_approve=True)
    assert ground.all(select(ScriptRow).where(ScriptRow.group_id == other)) == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": "长" * 61}, "title"),
        ({"messages": []}, "messages"),
        ({"messages": [{"text": "a"}] * 6}, "messages"),
        ({"keywords": "长" * 201}, "keywords"),
        ({"similar": [str(number) for number in range(21)]}, "similar"),
        ({"similar": ["长" * 101]}, "similar"),
    ],
)
def test_a_form_is_checked_by_field(wrong, field):
    good = {"group_id": 1, "title": "a", "messages": [{"text": "a"}]}
    with pytest.raises(InputInvalid) as caught:
        parse_form(**(good | wrong))
    assert caught.value.field == field
