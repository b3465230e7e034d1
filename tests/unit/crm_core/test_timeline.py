"""The customer's timeline: each entry once, read newest first."""

from datetime import datetime
from typing import Any

import pytest

from crm_core import timeline
from crm_core.ids import ExternalUserId
from tests.support.ground import CORP, OTHER_CORP, XIAO, ZHANG, Ground


def append(ground: Ground, key: str, seconds: float = 0, *, kind: str = "tag.added", **more: Any) -> bool:
    given = {"corp": CORP, "external_user": XIAO, **more}
    with ground.committed() as uow:
        return timeline.append(uow, kind=kind, at=ground.at(seconds), dedupe_key=key, **given)


def read(ground: Ground, **more: Any) -> list[timeline.TimelineEntry]:
    with ground.reading() as session:
        return timeline.read(session, CORP, XIAO, **more)


def test_an_entry_is_added_once(ground: Ground) -> None:
    assert append(ground, "k", 5, staff=ZHANG, data={"tags": ["高意向"]})
    assert not append(ground, "k", 9, data={"tags": ["别的"]})
    [entry] = read(ground)
    assert (entry.kind, entry.at, entry.staff, entry.data) == ("tag.added", ground.at(5), ZHANG, {"tags": ["高意向"]})


def test_another_corp_may_use_the_same_key(ground: Ground) -> None:
    assert append(ground, "k")
    assert append(ground, "k", corp=OTHER_CORP)
    assert len(read(ground)) == 1


def test_an_entry_without_more_has_empty_data_and_no_staff(ground: Ground) -> None:
    append(ground, "k")
    [entry] = read(ground)
    assert (entry.staff, entry.data) == ("", {})


def test_pages_show_every_entry_once_even_within_one_second(ground: Ground) -> None:
    for number in range(7):
        append(ground, f"k{number}", number // 3)
    append(ground, "other", external_user=ExternalUserId("wm_other"))
    seen: list[int] = []
    before: tuple[datetime, int] | None = None
    while page := read(ground, before=before, limit=2):
        seen += [entry.id for entry in page]
        before = (page[-1].at, page[-1].id)
    assert len(seen) == 7
    assert seen == [entry.id for entry in read(ground)] == sorted(seen, reverse=True)


@pytest.mark.parametrize(
    ("kinds", "count"),
    [((), 4), (("tag",), 2), (("tag.added",), 1), (("tag.", "sop"), 3), (("t%",), 0), (("radar",), 0)],
)
def test_kinds_are_prefixes(ground: Ground, kinds: tuple[str, ...], count: int) -> None:
    for kind in ("tag.added", "tag.removed", "sop.sent", "follow.started"):
        append(ground, kind, kind=kind)
    assert len(read(ground, kinds=kinds)) == count
