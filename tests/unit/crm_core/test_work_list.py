"""Looking at durable work: counts, pages, one row, marking as checked."""

import pytest

from crm_core import outbox, work_list
from crm_core.errors import Conflict, NotFound
from crm_core.ids import CorpId
from crm_core.lease import WorkState
from crm_core.outbox import FETCH_TAGS, JOBS, OUTBOX, SEND_WELCOME, OutboundKind
from crm_core.work_list import WorkFilter
from tests.support.ground import APP, CORP, OTHER_CORP, START_MS, Ground


def add(ground: Ground, key: str, *, kind: OutboundKind = FETCH_TAGS, corp: CorpId = CORP, state: str = "ready") -> int:
    with ground.committed() as uow:
        row_id = outbox.add(uow, kind, corp=corp, app=APP, payload={}, dedupe_key=key)
        uow.session.connection().execute(OUTBOX.update().where(OUTBOX.c.id == row_id).values(state=state))
    assert row_id is not None
    return row_id


def test_counts_go_by_lane_and_state_for_one_corp(ground: Ground) -> None:
    add(ground, "a")
    add(ground, "b", kind=SEND_WELCOME)
    add(ground, "c", state="dead")
    add(ground, "d", state="done")
    add(ground, "e", state="dead", corp=OTHER_CORP)
    with ground.reading() as session:
        counts = work_list.counts(session, OUTBOX, CORP)
    assert counts.open == {("default", "ready"): 1, ("welcome", "ready"): 1}
    assert counts.given_up == {("default", "dead"): 1}
    assert (counts.of("dead"), counts.of("done"), counts.waiting) == (1, 1, 2)
    assert counts.lanes == ["default", "welcome"]


def test_counting_stops_where_nobody_would_read_on(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_list, "MOST_COUNTED", 2)
    for number in range(5):
        add(ground, f"n{number}", state="done")
    with ground.reading() as session:
        assert work_list.counts(session, OUTBOX, CORP).of("done") == 3


def test_pages_walk_backwards_and_filter(ground: Ground) -> None:
    ids = [add(ground, f"k{number}", state="dead" if number % 2 else "ready") for number in range(5)]
    other = add(ground, "w", kind=SEND_WELCOME)
    with ground.reading() as session:

        def page(wanted: WorkFilter, **more: int) -> tuple[list[int], int | None]:
            rows, older = work_list.page(session, OUTBOX, CORP, wanted, **more)
            return [row.id for row in rows], older

        assert page(WorkFilter(), limit=2) == ([other, ids[4]], ids[4])
        assert page(WorkFilter(), before=ids[4], limit=4) == (ids[3::-1], None)
        assert page(WorkFilter(states=("dead",))) == ([ids[3], ids[1]], None)
        assert page(WorkFilter(lane="welcome")) == ([other], None)
        assert page(WorkFilter(kind="send_welcome")) == ([other], None)
        assert page(WorkFilter(since_ms=START_MS + 1)) == ([], None)
        assert page(WorkFilter(until_ms=START_MS)) == ([], None)
        assert work_list.kinds(session, OUTBOX) == ["fetch_tags", "send_welcome"]
        assert work_list.newest_ms(session, OUTBOX, CORP) == START_MS
        assert work_list.newest_ms(session, OUTBOX, CORP, kind="set_remark") is None


def test_rows_of_another_corp_are_not_there_but_shared_jobs_are(ground: Ground) -> None:
    theirs = add(ground, "theirs", corp=OTHER_CORP, state="dead")
    with ground.committed() as uow:
        outbox.add_job(uow, "sop.tick", dedupe_key="shared")
        outbox.add_job(uow, "doctor.run", dedupe_key="mine", corp=CORP)
        outbox.add_job(uow, "doctor.run", dedupe_key="theirs", corp=OTHER_CORP)
    with ground.reading() as session:
        with pytest.raises(NotFound):
            work_list.get(session, OUTBOX, CORP, theirs)
        assert work_list.ids_to_replay(session, OUTBOX, CORP, [theirs]) == []
        assert work_list.ids_to_replay(session, OUTBOX, OTHER_CORP, [theirs]) == [theirs]
        rows, _ = work_list.page(session, JOBS, CORP, WorkFilter())
        assert {row.dedupe_key for row in rows} == {"shared", "mine"}
        assert work_list.has_open(session, JOBS, CORP, "doctor.run")
        assert not work_list.has_open(session, JOBS, CORP, "sync.full")


@pytest.mark.parametrize(("before", "after"), sorted(work_list.CHECKED_STATES.items()))
def test_a_row_that_was_looked_at_waits_for_nobody(ground: Ground, before: str, after: str) -> None:
    row_id = add(ground, "looked-at", state=before)
    with ground.committed() as uow:
        assert work_list.mark_checked(uow, OUTBOX, CORP, row_id) == before
    with ground.reading() as session:
        row = work_list.get(session, OUTBOX, CORP, row_id)
    assert (row.state, row.finished_ms) == (after, START_MS)


@pytest.mark.parametrize("state", [WorkState.READY.value, WorkState.LEASED.value, WorkState.DONE.value])
def test_only_given_up_rows_are_marked(ground: Ground, state: str) -> None:
    row_id = add(ground, "not-given-up", state=state)
    with ground.unit() as uow, pytest.raises(Conflict):
        work_list.mark_checked(uow, OUTBOX, CORP, row_id)
