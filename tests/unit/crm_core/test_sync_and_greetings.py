"""How far a sync has come, and the greetings of staff and corp."""

import pytest

from crm_core import sync_progress, welcome_messages
from crm_core.errors import InputInvalid
from tests.support.ground import CORP, LI, OTHER_CORP, ZHANG, Ground


def begin(ground: Ground, stage: str = "customers") -> sync_progress.SyncProgress:
    with ground.committed() as uow:
        return sync_progress.begin(uow, CORP, stage)


def test_a_stage_from_beginning_to_end(ground: Ground) -> None:
    first = begin(ground)
    assert (first.status, first.cursor, first.done_count, first.started_at) == ("running", {}, 0, ground.clock.now())
    ground.clock.move(minutes=1)
    with ground.committed() as uow:
        sync_progress.advance(uow, CORP, "customers", cursor={"next": "b"}, done=40, total=100)
        sync_progress.advance(uow, CORP, "customers", cursor={"next": "c"}, done=2)
    with ground.reading() as session:
        [seen] = sync_progress.listing(session, CORP)
    assert (seen.cursor, seen.done_count, seen.total_count) == ({"next": "c"}, 42, 100)
    assert (seen.started_at, seen.changed_at, seen.finished_at) == (first.started_at, ground.clock.now(), None)
    with ground.committed() as uow:
        sync_progress.finish(uow, CORP, "customers")
    with ground.reading() as session:
        [seen] = sync_progress.listing(session, CORP)
    assert (seen.status, seen.cursor, seen.finished_at) == ("done", {}, ground.clock.now())


def test_a_stage_that_was_stopped_or_failed_goes_on_where_it_was(ground: Ground) -> None:
    started = begin(ground).started_at
    with ground.committed() as uow:
        sync_progress.advance(uow, CORP, "customers", cursor={"next": "b"}, done=40)
    ground.clock.move(minutes=1)
    assert begin(ground).cursor == {"next": "b"}
    with ground.committed() as uow:
        sync_progress.finish(uow, CORP, "customers", error="45009")
    with ground.reading() as session:
        [seen] = sync_progress.listing(session, CORP)
    assert (seen.status, seen.last_error, seen.finished_at) == ("failed", "45009", None)
    again = begin(ground)
    assert (again.status, again.cursor, again.done_count, again.last_error) == ("running", {"next": "b"}, 40, "")
    assert again.started_at == started


def test_a_finished_stage_begins_anew(ground: Ground) -> None:
    begin(ground)
    with ground.committed() as uow:
        sync_progress.advance(uow, CORP, "customers", cursor={"next": "b"}, done=40, total=40)
        sync_progress.finish(uow, CORP, "customers")
    ground.clock.move(days=1)
    again = begin(ground)
    assert (again.done_count, again.total_count, again.finished_at) == (0, 0, None)
    assert again.started_at == ground.clock.now()


def test_stages_are_listed_by_name_for_each_corp(ground: Ground) -> None:
    for stage in ("tags", "customers"):
        begin(ground, stage)
    with ground.reading() as session:
        assert [seen.stage for seen in sync_progress.listing(session, CORP)] == ["customers", "tags"]
        assert sync_progress.listing(session, OTHER_CORP) == []


def greeting(ground: Ground, staff: str = ZHANG) -> object:
    with ground.reading() as session:
        message = welcome_messages.for_staff(session, CORP, staff)  # type: ignore[arg-type]
    return None if message is None else message["text"]


def set_greeting(ground: Ground, staff: str, text: str) -> None:
    with ground.committed() as uow:
        welcome_messages.set_message(uow, CORP, staff, {"text": text})


def test_ones_own_greeting_goes_before_the_corps(ground: Ground) -> None:
    assert greeting(ground) is None
    set_greeting(ground, welcome_messages.EVERYBODY, "公司")
    set_greeting(ground, ZHANG, "旧")
    set_greeting(ground, ZHANG, "张三")
    assert (greeting(ground), greeting(ground, LI)) == ("张三", "公司")
    set_greeting(ground, ZHANG, "")
    set_greeting(ground, LI, "")
    assert greeting(ground) == "公司"


def test_a_greeting_that_is_too_long_is_refused(ground: Ground) -> None:
    with pytest.raises(InputInvalid):
        set_greeting(ground, ZHANG, "a" * 4001)
    assert greeting(ground) is None
