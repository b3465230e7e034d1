"""Scripts of one's own and favourites."""

import pytest

from crm_core.errors import InputInvalid, NotFound
from crm_core.events import StaffUpdated
from crm_core.ids import StaffUserId
from materials import favourites, personal_scripts, service
from materials.service import ScriptShelf
from tests.support.ground import APP, CORP, LI, OTHER_CORP, ZHANG, Ground


def write(ground: Ground, title: str = "周末邀约", *texts: str, staff: StaffUserId = ZHANG, number: int = 0) -> int:
    with ground.committed() as uow:
        return personal_scripts.save(
            uow, CORP, staff, title=title, texts=texts or ("周末有空吗", " "), script_id=number
        )


def titles(ground: Ground, staff: StaffUserId = ZHANG) -> list[str]:
    with ground.reading() as session:
        return [script.title for script in personal_scripts.listing(session, CORP, staff)]


def searched(ground: Ground, words: str, staff: StaffUserId) -> list[str]:
    with ground.reading() as session:
        return [script.title for script in ScriptShelf().search(session, CORP, words, viewer=staff)]


def test_a_script_of_ones_own_is_seen_by_nobody_else(ground: Ground) -> None:
    number = write(ground)
    write(ground, "李四的", staff=LI)
    assert titles(ground) == ["周末邀约"]
    assert searched(ground, "zmyy", ZHANG) == ["周末邀约"]
    assert searched(ground, "zmyy", LI) == []
    with ground.reading() as session:
        assert service.get(session, CORP, number, viewer=ZHANG).text == "周末有空吗"
        for who, corp in ((LI, CORP), (ZHANG, OTHER_CORP)):
            with pytest.raises(NotFound):
                service.get(session, corp, number, viewer=who)
            with pytest.raises(NotFound):
                personal_scripts.get_own(session, corp, who, number)
    with ground.committed() as uow:
        service.record_use(uow, CORP, ZHANG, number, key="k")
        assert [script.id for script in service.recents(uow.session, CORP, ZHANG)] == [number]


def test_it_is_changed_deleted_and_brought_back(ground: Ground) -> None:
    number = write(ground)
    assert write(ground, "改过的", "第一条", "第二条", number=number) == number
    assert titles(ground) == ["改过的"]
    with pytest.raises(NotFound):
        write(ground, "偷改", "x", staff=LI, number=number)
    for enabled, left in ((False, []), (True, ["改过的"])):
        with ground.committed() as uow:
            personal_scripts.switch(uow, CORP, ZHANG, number, enabled=enabled)
        assert titles(ground) == left
        assert searched(ground, "改过的", ZHANG) == left
    with ground.committed() as uow, pytest.raises(NotFound):
        personal_scripts.switch(uow, CORP, LI, number, enabled=False)


@pytest.mark.parametrize(
    ("title", "texts", "field"),
    [(" ", ("x",), "title"), ("长" * 41, ("x",), "title"), ("a", (" ",), "text"), ("a", ("x",) * 6, "text")],
)
def test_a_wrong_script_is_refused(ground: Ground, title: str, texts: tuple[str, ...], field: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        write(ground, title, *texts)
    assert refused.value.field == field


def test_favourites_are_marked_once_and_follow_a_changed_userid(ground: Ground) -> None:
    first, second = write(ground, "一"), write(ground, "二")
    hidden = write(ground, "李四的", staff=LI)
    for number in (first, second, second):
        with ground.committed() as uow:
            favourites.mark(uow, CORP, ZHANG, number, wanted=True)
        ground.clock.move(seconds=1)
    with ground.committed() as uow:
        with pytest.raises(NotFound):
            favourites.mark(uow, CORP, ZHANG, hidden, wanted=True)
        assert [script.title for script in favourites.listing(uow.session, CORP, ZHANG)] == ["二", "一"]
        favourites.mark(uow, CORP, ZHANG, first, wanted=False)
        favourites.mark(uow, CORP, ZHANG, first, wanted=False)
    new = StaffUserId("zhang.san")
    event = StaffUpdated(
        corp=CORP, app=APP, occurred_at=ground.clock.now(), key="u", staff=ZHANG, new_staff=new, fields={}
    )
    ground.handle(event, favourites.rename_staff)
    ground.handle(event, personal_scripts.rename_staff)
    with ground.reading() as session:
        assert favourites.marked(session, CORP, new) == {second}
        assert favourites.marked(session, CORP, ZHANG) == set()
    assert titles(ground, new) == ["二", "一"]
