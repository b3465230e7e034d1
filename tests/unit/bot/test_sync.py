"""Sync with the local WeCom: whole, new things only, stopped and gone on, and what it finds missing."""

import threading
from typing import Any

import pytest
from sqlalchemy import func
from sqlmodel import col, select

from bot.sandbox import acts
from bot.sandbox.company import new_person
from bot.sync import Syncer, SyncReport
from crm_core.tables import CustomerGroupRow, CustomerRow, DepartmentRow, FollowRow, OutboxRow, StaffRow
from tests.support.bench import Bench
from tests.support.product import admin

STAFF = "zhang.san"
PAGE = 100


def syncer(bench: Bench, **more: Any) -> Syncer:
    (gateway,) = bench.house.gateways
    return Syncer(bench.house.db, gateway, bench.house.files, **more)


def run(bench: Bench, *, full: bool = True, **more: Any) -> dict[str, SyncReport]:
    return {report.stage: report for report in syncer(bench, **more).run(full=full)}


def count(bench: Bench, kind: Any, *where: Any) -> int:
    with bench.house.db.reading() as session:
        return session.exec(select(func.count()).select_from(kind).where(*where)).one()


def active(bench: Bench, staff: str = STAFF) -> set[str]:
    with bench.house.db.reading() as session:
        rows = session.exec(select(FollowRow).where(FollowRow.staff_userid == staff, FollowRow.status == "active"))
        return {row.external_userid for row in rows}


def asked_for(bench: Bench) -> set[str]:
    with bench.house.db.reading() as session:
        rows = session.exec(select(OutboxRow).where(OutboxRow.kind == "fetch_customer")).all()
        return {row.payload["external_user"] for row in rows}


def befriend(bench: Bench, number: int, staff: str = STAFF) -> None:
    """So many new customers of one member, without callbacks."""
    world = bench.wecom.world
    with world.lock:
        corp = world.corps[bench.corp]
        for each in range(number):
            acts.add(world, corp, acts.member_of(corp, staff), new_person(world, f"新客{each}"))
        world.take_pending()


def test_full_reads_everything_and_a_second_time_changes_nothing(bench: Bench) -> None:
    first = run(bench)
    assert [(report.stage, report.error) for report in first.values()] == [
        ("directory", ""), ("tags", ""), ("customers", ""), ("groups", ""),
    ]  # fmt: skip
    tables = (DepartmentRow, StaffRow, CustomerRow, FollowRow, CustomerGroupRow)
    counts = {table: count(bench, table) for table in tables}
    assert (counts[DepartmentRow], counts[CustomerGroupRow]) == (5, 2)
    assert first["tags"].done == 11
    assert first["groups"].done == 2
    assert first["customers"].done == count(bench, FollowRow)
    again = run(bench)
    assert {table: count(bench, table) for table in tables} == counts
    assert again["customers"].done == first["customers"].done


def test_incremental_asks_only_for_what_is_new(synced: Bench) -> None:
    details = synced.called("externalcontact/batch/get_by_user"), synced.called("externalcontact/groupchat/get")
    befriend(synced, 3)
    made = admin(synced.wecom, "create_group", {"corp": synced.corp, "userid": STAFF, "name": "新群"})
    reports = run(synced, full=False)
    assert {report.error for report in reports.values()} == {""}
    assert reports["customers.new"].done == 3
    assert reports["groups.new"].done == 1
    assert len(asked_for(synced)) == 3
    assert synced.called("externalcontact/batch/get_by_user") == details[0]
    assert synced.called("externalcontact/groupchat/get") == details[1] + 1
    assert count(synced, CustomerGroupRow, CustomerGroupRow.chat_id == made["group"]["chat_id"]) == 1
    synced.work()
    assert asked_for(synced) <= active(synced)


@pytest.mark.parametrize("full", [True, False])
def test_follows_that_wecom_no_longer_lists_are_ended(synced: Bench, full: bool) -> None:
    gone = min(active(synced))
    body = {"corp": synced.corp, "userid": STAFF, "external_userid": gone}
    admin(synced.wecom, "delete_customer_by_staff", body)
    before = active(synced)
    synced.clock.advance(minutes=1)
    run(synced, full=full)
    assert before - active(synced) == {gone}


def test_a_follow_that_began_while_the_list_was_read_is_kept(synced: Bench) -> None:
    before = active(synced)
    befriend(synced, 1)
    run(synced)
    synced.fault("externalcontact/list", "errcode", code=84061)
    run(synced, full=False)
    assert len(active(synced) - before) == 1


def test_nobody_has_customers_is_an_empty_list_not_a_fault(synced: Bench) -> None:
    synced.clock.advance(minutes=1)
    synced.fault("externalcontact/list", "errcode", code=84061)
    reports = run(synced, full=False)
    assert reports["customers.new"].error == ""
    assert active(synced) == set()


def test_a_failed_stage_is_told_and_does_not_stop_the_others(bench: Bench) -> None:
    bench.fault("externalcontact/get_corp_tag_list", "errcode", code=48002)
    reports = run(bench)
    assert "48002" in reports["tags"].error
    assert {stage for stage, report in reports.items() if not report.error} == {"directory", "customers", "groups"}
    bench.wecom.world.faults.clear()
    assert run(bench)["tags"].error == ""


class StopAfter:
    """Asks the sync to stop after so many reports of one stage."""

    def __init__(self, stage: str, reports: int) -> None:
        self.stopping = threading.Event()
        self._stage, self._left = stage, reports

    def __call__(self, stage: str, done: int, total: int) -> None:
        self._left -= stage == self._stage
        if self._left <= 0:
            self.stopping.set()


def stopped_in(bench: Bench, stage: str, reports: int = 1, *, full: bool = True) -> SyncReport:
    stop = StopAfter(stage, reports)
    stages = run(bench, full=full, report=stop, stopping=stop.stopping)
    assert list(stages)[-1] == stage
    return stages[stage]


def test_stopped_in_the_middle_it_goes_on_from_the_last_page(bench: Bench) -> None:
    befriend(bench, 250)
    first = stopped_in(bench, "customers")
    assert (first.done, first.error) == (PAGE, "已停止，下次从这里继续")
    began = bench.called("externalcontact/batch/get_by_user")
    last = run(bench)["customers"]
    assert last.error == ""
    assert last.done == count(bench, FollowRow)
    assert bench.called("externalcontact/batch/get_by_user") == began + 2


def test_a_cursor_wecom_no_longer_knows_starts_the_page_anew(bench: Bench) -> None:
    befriend(bench, 250)
    stopped_in(bench, "customers")
    bench.fault("externalcontact/batch/get_by_user", "errcode", code=50100, times=1)
    assert run(bench)["customers"].error == ""
    everybody = bench.house.gateways.of(bench.corp).list_external_users(STAFF)  # type: ignore[arg-type]
    assert active(bench) == set(everybody)


def test_the_same_refusal_without_a_cursor_is_a_fault(bench: Bench) -> None:
    bench.fault("externalcontact/batch/get_by_user", "errcode", code=50100)
    assert "50100" in run(bench)["customers"].error


def test_pages_cut_short_lose_nobody(bench: Bench) -> None:
    bench.wecom.options.change({"short_pages": True})
    befriend(bench, 250)
    run(bench)
    everybody = bench.house.gateways.of(bench.corp).list_external_users(STAFF)  # type: ignore[arg-type]
    assert active(bench) == set(everybody)


def test_chunks_of_members_are_gone_through_one_after_the_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.sync.STAFF_PER_CALL", 2)
    stopped_in(bench, "customers", reports=2)
    last = run(bench)["customers"]
    assert last.done == count(bench, FollowRow)
    members = len(bench.house.gateways.of(bench.corp).list_follow_staff())
    assert bench.called("externalcontact/batch/get_by_user") == -(-members // 2)


def test_incremental_goes_on_after_the_member_it_had_come_to(synced: Bench) -> None:
    stopped_in(synced, "customers.new", reports=2, full=False)
    assert synced.called("externalcontact/list") == 2
    assert run(synced, full=False)["customers.new"].error == ""
    members = len(synced.house.gateways.of(synced.corp).list_follow_staff())
    assert synced.called("externalcontact/list") == members


def test_groups_go_on_as_well(bench: Bench) -> None:
    stopped_in(bench, "groups")
    assert run(bench)["groups"].error == ""
    assert count(bench, CustomerGroupRow) == 2


def test_the_lease_is_kept_alive_all_along(bench: Bench) -> None:
    beats: list[int] = []
    run(bench, keep_alive=lambda: beats.append(1))
    assert len(beats) >= 5


def test_members_who_left_are_marked(synced: Bench) -> None:
    admin(synced.wecom, "change_staff", {"corp": synced.corp, "userid": "wangwu", "status": 5})
    corp = synced.wecom.world.corps[synced.corp]
    with synced.wecom.world.lock:
        corp.staff.pop("wangwu", None)
    run(synced)
    with synced.house.db.reading() as session:
        row = session.exec(select(StaffRow).where(col(StaffRow.userid) == "wangwu")).one()
    assert row.status == 5
