"""Personal tags: ours stay ours, WeCom's stay WeCom's."""

import pytest

from crm_core.errors import Conflict, InputInvalid
from crm_core.ids import ExternalUserId
from crm_core.ports import FollowFacts, TagMark
from tagging import personal, service
from tests.support.ground import CORP, LI, XIAO, ZHANG, Ground

YOU = ExternalUserId("wm_you")


def sync(ground: Ground, *names: str) -> None:
    facts = FollowFacts(staff=ZHANG, tags=tuple(TagMark(kind=2, name=name) for name in names))
    with ground.committed() as uow:
        service.apply_follow_tags(uow, CORP, XIAO, facts, key=f"k{names}")


def held(ground: Ground, who: ExternalUserId = XIAO) -> dict[str, bool]:
    with ground.reading() as session:
        return {tag.name: tag.is_own for tag in personal.of_follow(session, CORP, ZHANG, who)}


def test_added_here_a_sync_leaves_it_alone(ground: Ground) -> None:
    sync(ground, "爱喝茶")
    with ground.committed() as uow:
        personal.add(uow, CORP, ZHANG, XIAO, " 周末  有空 ")
        personal.add(uow, CORP, ZHANG, XIAO, "周末 有空")
        personal.add(uow, CORP, ZHANG, XIAO, "爱喝茶")
    assert held(ground) == {"周末 有空": True, "爱喝茶": False}
    sync(ground, "新的")
    assert held(ground) == {"周末 有空": True, "新的": False}
    with ground.committed() as uow:
        personal.remove(uow, CORP, ZHANG, XIAO, "周末 有空")
        personal.remove(uow, CORP, ZHANG, XIAO, "没有的")
        with pytest.raises(Conflict, match="来自企业微信"):
            personal.remove(uow, CORP, ZHANG, XIAO, "新的")
        assert personal.of_follow(uow.session, CORP, LI, XIAO) == []
    assert held(ground) == {"新的": False}


def test_names_used_last_are_proposed(ground: Ground) -> None:
    for name in ("一", "二"):
        with ground.committed() as uow:
            personal.add(uow, CORP, ZHANG, YOU, name)
        ground.clock.move(seconds=1)
    with ground.committed() as uow:
        personal.add(uow, CORP, ZHANG, XIAO, "一")
        assert personal.recent(uow.session, CORP, ZHANG, XIAO) == ["二"]
        assert personal.recent(uow.session, CORP, LI, XIAO) == []


def test_wrong_names_and_too_many_are_refused(ground: Ground) -> None:
    with ground.committed() as uow:
        for name in (" ", "长" * 16):
            with pytest.raises(InputInvalid):
                personal.add(uow, CORP, ZHANG, XIAO, name)
        for number in range(30):
            personal.add(uow, CORP, ZHANG, XIAO, f"t{number}")
        with pytest.raises(InputInvalid, match="最多"):
            personal.add(uow, CORP, ZHANG, XIAO, "多一个")
