import pytest
from sqlmodel import SQLModel, select

from crm_core.db import Database, open_engine
from crm_core.errors import InputInvalid, NotFound
from crm_core.ids import CorpId, StaffUserId
from materials import service
from materials.model import parse_folder
from materials.script_statistics import usage
from materials.tables import ScriptRow
from tests.fakes import FrozenClock, SilentWaker

CORP, OTHER, ZHANG = CorpId("ww_1"), CorpId("ww_2"), StaffUserId("zhangsan")


@pytest.fixture
def db(tmp_path):
    made = Database(open_engine(f"sqlite:///{tmp_path / 'scrm.db'}"), FrozenClock(), SilentWaker())
    SQLModel.metadata.create_all(made.engine)
    with made.unit() as uow:
        assert service.install_missing(uow, CORP) >= 72
        uow.commit()
    yield made
    made.close()


def test_six_folders_in_order(db):
    with db.reading() as session:
        folders = service.folders(session, CORP)
        assert [folder.name for folder in folders] == [
            "初次问候",
            "需求了解",
            "报价与优惠",
            "产品与工艺",
            "异议处理",
            "售后与转介绍",
        ]
        assert all(len(service.scripts_of(session, CORP, folder.id)) == folder.count >= 12 for folder in folders)


def test_every_seeded_text_can_be_sent_and_is_distinct():
    texts = [m["text"] for f in service.builtin_folders() for s in f.scripts for m in s.messages if m["text"]]
    assert len(set(texts)) == len(texts)
    assert all(20 <= len(text) <= 300 for text in texts)
    assert any(len(s.messages) > 1 for f in service.builtin_folders() for s in f.scripts)


def test_installing_again_keeps_what_people_changed(db):
    with db.unit() as uow:
        row = uow.session.exec(select(ScriptRow).where(ScriptRow.corp_id == CORP)).first()
        row.title, row.enabled, changed = "改过的标题", False, row.id
        uow.session.add(row)
        assert service.install_missing(uow, CORP) == 0
        uow.commit()
    with db.reading() as session:
        assert session.get(ScriptRow, changed).title == "改过的标题"
        with pytest.raises(NotFound):
            service.get(session, CORP, changed)


def test_another_corp_sees_nothing(db):
    with db.reading() as session:
        folder = service.folders(session, CORP)[0]
        script = service.scripts_of(session, CORP, folder.id)[0]
        assert service.folders(session, OTHER) == []
        assert service.scripts_of(session, OTHER, folder.id) == []
        with pytest.raises(NotFound):
            service.get(session, OTHER, script.id)
        assert service.ScriptShelf().search(session, OTHER, "报价") == []


def test_a_use_counts_once_per_key_and_recents_follow(db):
    with db.reading() as session:
        first, second = service.scripts_of(session, CORP, service.folders(session, CORP)[0].id)[:2]
    for script, key in ((first, "a"), (second, "b"), (first, "a")):
        with db.unit() as uow:
            service.record_use(uow, CORP, ZHANG, script.id, key=key)
            uow.commit()
        db.clock.move(minutes=1)
    with db.reading() as session:
        assert [one.sends for one in usage(session, CORP, [first.id, second.id]).values()] == [1, 1]
        assert [script.id for script in service.recents(session, CORP, ZHANG)] == [second.id, first.id]
        assert service.recents(session, CORP, StaffUserId("lisi")) == []


def test_the_shelf_notices_a_changed_library(db):
    shelf = service.ScriptShelf()
    with db.reading() as session:
        assert shelf.search(session, CORP, "独一无二的新词") == []
        kept = shelf.index_of(session, CORP)
        assert shelf.index_of(session, CORP) is kept
    db.clock.move(seconds=1)
    with db.unit() as uow:
        row = uow.session.exec(select(ScriptRow).where(ScriptRow.corp_id == CORP)).first()
        row.title, row.changed_at = "独一无二的新词", uow.now()
        uow.session.add(row)
        uow.commit()
    with db.reading() as session:
        assert shelf.search(session, CORP, "独一无二的新词")[0].title == "独一无二的新词"


@pytest.mark.parametrize(
    "raw",
    [
        {"key": "a", "name": "甲", "scripts": []},
        {"key": "a", "name": "甲", "scripts": ["不是键值"]},
        {"key": "a", "name": "", "scripts": [{"key": "b", "title": "乙", "messages": [{"text": "丙"}]}]},
        {"key": "a", "name": "甲", "scripts": [{"key": "b", "title": "乙", "messages": []}]},
        {"key": "a", "name": "甲", "scripts": [{"key": "b", "title": "乙", "messages": [{"text": ""}]}]},
        {"key": "a", "name": "甲", "scripts": [{"key": "b", "title": "乙", "messages": [{"text": "丙"}]}] * 2},
    ],
)
def test_a_faulty_folder_is_refused(raw):
    with pytest.raises(InputInvalid):
        parse_folder(raw)
