"""Recommendation: what answers a customer's message, why, and what a company teaches it."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ciphers import open_cipher
from crm_core.ids import ExternalUserId
from materials import lessons, meaning, script_desk, service, suggestable
from materials.lessons import DOWN, SENT, UP, Said
from materials.model import Script
from materials.private_numbers import hide_numbers
from materials.ranking import Meanings, Ranker, grams
from materials.recommending import About, Recommender
from materials.script_model import parse_form
from tests.support.ground import CORP, LI, OTHER_CORP, XIAO, ZHANG, Ground
from tests.unit.materials.test_meaning import TopicModel

np = pytest.importorskip("numpy")


def script(number: int, title: str, text: str = "", *similar: str) -> Script:
    return Script(
        id=number,
        group_id=1,
        title=title,
        keywords="",
        messages=({"text": text, "attachments": []},),
        pinyin="",
        initials="",
        similar=similar,
    )


LIBRARY = (
    ("退货流程", "七天内可以退，运费我们出", ("东西不想要了怎么退", "能退吗")),
    ("发货时间", "当天下单当天发，节假日顺延", ("什么时候发货", "几天能到")),
    ("开发票", "电子发票三天内发到邮箱", ("可以开票吗", "发票怎么开")),
    ("保修政策", "整机保修两年", ("坏了怎么办", "保修多久")),
)


@pytest.fixture
def ids(ground: Ground) -> dict[str, int]:
    found = {}
    with ground.committed() as uow:
        folder = script_desk.create_folder(uow, CORP, "售后")
        for title, text, similar in LIBRARY:
            form = parse_form(group_id=folder, title=title, messages=[{"text": text}], similar=similar)
            found[title] = script_desk.save(uow, CORP, ZHANG, form, may_approve=True).script_id
    return found


def recommender(ground: Ground, model=None) -> Recommender:
    return Recommender(ground.db, open_cipher(ground.settings), lambda _: model)


def ask(ground: Ground, who: Recommender, *said: str, **more):
    with ground.reading() as session:
        return who.answer(session, more.pop("corp", CORP), said, now=ground.clock.now(), **more)


def titles(answer) -> list[str]:
    return [one.script.title if one.script else one.material.title for one in answer.suggestions]


def test_what_was_asked_in_a_similar_question_comes_first_and_says_why(ground, ids):
    answer = ask(ground, recommender(ground), "请问发票怎么开呀")
    assert titles(answer)[0] == "开发票"
    assert any(reason.startswith("命中：") and "发票" in reason for reason in answer.suggestions[0].reasons)
    exact = ask(ground, recommender(ground), "几天能到？")
    assert (titles(exact)[0], exact.suggestions[0].reasons[0]) == ("发货时间", "就是这句问法")
    assert exact.answered


def test_what_nothing_answers_is_not_answered_and_another_corp_has_nothing(ground, ids):
    who = recommender(ground)
    assert not ask(ground, who, "你们公司在哪个城市招聘").answered
    assert ask(ground, who, "能退吗", corp=OTHER_CORP).suggestions == ()
    assert ask(ground, who, "  ").suggestions == ()


def test_a_short_message_leans_on_the_one_before(ground, ids):
    who = recommender(ground)
    assert titles(ask(ground, who, "坏了怎么办呢", "多久"))[0] == "保修政策"
    assert titles(ask(ground, who, "保修多久", "发票怎么开"))[0] == "开发票", "the last one decides"


def test_a_change_is_found_at_once_and_a_colleagues_own_script_is_not(ground, ids):
    who = recommender(ground)
    ask(ground, who, "能退吗")
    with ground.committed() as uow:
        folder = script_desk.all_folders(uow.session, CORP)[0].id
        form = parse_form(group_id=folder, title="学生优惠", messages=[{"text": "凭学生证九折"}])
        script_desk.save(uow, CORP, ZHANG, form, may_approve=True)
        script_desk.delete(uow, CORP, ZHANG, [ids["开发票"]])
    who.refresh(CORP)
    assert titles(ask(ground, who, "学生优惠有吗"))[0] == "学生优惠"
    assert "开发票" not in titles(ask(ground, who, "发票怎么开"))
    from materials import personal_scripts

    with ground.committed() as uow:
        personal_scripts.save(uow, CORP, LI, title="我的砍价话术", texts=["最低九五折"])
    who.refresh(CORP)
    assert "我的砍价话术" in titles(ask(ground, who, "砍价话术", viewer=LI))
    assert "我的砍价话术" not in titles(ask(ground, who, "砍价话术", viewer=ZHANG))


def test_meaning_finds_what_shares_no_word_and_words_come_before_it(ground):
    with ground.committed() as uow:
        folder = script_desk.create_folder(uow, CORP, "常见问题")
        for title, text in (("报价", "按预算给价"), ("渗水", "渗漏我们修"), ("进度", "工期四十五天")):
            form = parse_form(group_id=folder, title=title, messages=[{"text": text}])
            script_desk.save(uow, CORP, ZHANG, form, may_approve=True)
    model = TopicModel()
    with ground.reading() as session:
        entries = suggestable.all_entries(session, CORP)
    meaning.embed_missing(ground.db.unit, CORP, entries, model, lambda: None)
    who = recommender(ground, model)
    full, quick = ask(ground, who, "要多少钱"), ask(ground, who, "要多少钱", words_only=True)
    assert titles(full)[0] == "报价"
    assert any(reason.startswith("意思相近") for reason in full.suggestions[0].reasons)
    assert (full.is_final, quick.is_final, quick.suggestions) == (True, False, ())
    before = len(model.asked)
    ask(ground, who, "要多少钱")
    assert len(model.asked) == before, "a question is embedded once"
    assert who.remembered("要多少钱")[0] == model.model


def learn(ground, script_id, verdict, said, key, staff=ZHANG):
    with ground.committed() as uow:
        return lessons.learn(
            uow,
            open_cipher(ground.settings),
            CORP,
            staff,
            ExternalUserId(XIAO),
            script_id=script_id,
            verdict=verdict,
            said=Said(text=said),
            key=key,
        )


def test_thumbs_and_sends_move_scripts_for_questions_like_it_and_fade(ground, ids):
    who, asked = recommender(ground), "退换发票怎么弄"
    order = titles(ask(ground, who, asked))
    other = next(title for title in order if title != order[0])
    for number in range(4):
        assert learn(ground, ids[other], UP, asked, f"thumb:{number}", staff=ZHANG)
        learn(ground, ids[order[0]], DOWN, asked, f"down:{number}")
    taught = ask(ground, who, asked)
    assert titles(taught)[0] == other
    assert "4 人点赞" in taught.suggestions[0].reasons
    assert titles(ask(ground, who, "保修多久"))[0] == "保修政策", "other questions are left alone"
    ground.clock.moment += timedelta(days=170)
    assert titles(ask(ground, who, asked))[0] == order[0]


def test_a_lesson_counts_once_and_is_sealed_and_a_reply_makes_it_a_success(ground, ids):
    assert learn(ground, ids["开发票"], SENT, "发票怎么开", "sent:1")
    assert not learn(ground, ids["开发票"], SENT, "发票怎么开", "sent:1")
    learn(ground, ids["开发票"], UP, "发票怎么开", "thumb:1")
    learn(ground, ids["开发票"], DOWN, "发票怎么开", "thumb:1")
    ground.clock.moment += timedelta(minutes=5)
    with ground.committed() as uow:
        lessons.note_replies(uow, CORP, [XIAO])
    with ground.reading() as session:
        counted = lessons.counts(session, CORP, [ids["开发票"]])[ids["开发票"]]
        assert counted == {"sent": 1, "up": 0, "down": 1, "replied": 1}
        assert lessons.thumbs_of(session, CORP, ZHANG, ["thumb:1"]) == {"thumb:1": "down"}
        stored = session.connection().exec_driver_sql("SELECT said FROM script_lessons").scalars().all()
    assert all("发票".encode() not in bytes(one) for one in stored)
    with ground.committed() as uow:
        lessons.unlearn(uow, CORP, ZHANG, "thumb:1")
        lessons.forget(uow, CORP, ExternalUserId(XIAO))
    with ground.reading() as session:
        assert lessons.newest(session, CORP, open_cipher(ground.settings), ground.clock.now()) == []


def test_what_is_known_of_the_customer_tips_the_scales(ground, ids):
    with ground.committed() as uow:
        folder = script_desk.all_folders(uow.session, CORP)[0].id
        for title in ("活动介绍 新客户", "活动介绍 老客户"):
            form = parse_form(group_id=folder, title=title, messages=[{"text": "满减活动进行中"}])
            script_desk.save(uow, CORP, ZHANG, form, may_approve=True)
    who = recommender(ground)
    for word in ("新客户", "老客户"):
        found = ask(ground, who, "有什么活动介绍", about=About(words=((f"标签：{word}", word),)))
        assert titles(found)[0] == f"活动介绍 {word}"
        assert f"标签：{word}" in found.suggestions[0].reasons


class Hand:
    """Vectors that a test writes by hand."""

    model = "hand:1"

    def __init__(self, vectors):
        self.vectors = vectors

    def put_into(self, meanings, number, *rows):
        meanings.put(number, "", {place: np.asarray(row, "float32").tobytes() for place, row in enumerate(rows)})


def test_one_wrong_similar_question_among_several_does_little_harm():
    right, wrong = np.eye(8, dtype="float32")[0], np.eye(8, dtype="float32")[1]
    scripts = [script(1, "甲"), script(2, "乙")]
    meanings = Meanings.around("hand", [right.tobytes(), wrong.tobytes()])
    Hand(None).put_into(meanings, 1, right, right, right, right, wrong)
    Hand(None).put_into(meanings, 2, wrong, wrong)
    total = Ranker(scripts, meanings=meanings).scores("子", wrong).total
    assert total[1] > total[0]


def test_an_index_that_follows_another_is_the_same_as_one_made_anew():
    first = Ranker([script(number, *one[:2], *one[2]) for number, one in enumerate(LIBRARY)])
    changed = [script(0, "退款进度", "原路退回"), script(1, *LIBRARY[1][:2]), script(9, "营业时间", "九点到六点")]
    after, anew = Ranker(changed, before=first), Ranker(changed)
    for query in ("退款到哪了", "几点营业", "什么时候发货", "?"):
        assert after.scores(query).total.tolist() == pytest.approx(anew.scores(query).total.tolist())
        assert after.scores(query).cover.tolist() == pytest.approx(anew.scores(query).cover.tolist(), abs=0.2)


@given(st.lists(st.text(max_size=30), min_size=1, max_size=6), st.text(max_size=40))
def test_any_text_can_be_indexed_and_asked(texts, query):
    ranker = Ranker([script(number, text, text[::-1]) for number, text in enumerate(texts)])
    scores = ranker.scores(query)
    assert np.isfinite(scores.total).all()
    assert ((scores.cover >= 0) & (scores.cover <= 1.0001)).all()
    assert ranker.words.hits(query, ranker.scripts[0]) is not None
    assert sum(grams(query).values()) >= 0


@pytest.mark.parametrize(
    ("said", "hidden"),
    [
        ("我电话13812345678", "我电话［手机号］"),
        ("+86 138-1234-5678 加我", "［手机号］ 加我"),
        ("身份证11010519491231002X", "身份证［证件号］"),
        ("卡号6222 0212 3456 7890 123", "卡号［卡号］"),
        ("１３８１２３４５６７８", "［手机号］"),
        ("发到 a.b@example.com", "发到 ［邮箱］"),
        ("座机 0571-88886666", "座机 ［电话］"),
        ("订单20261122993311", "订单［号码］"),
        ("2026年买3箱共1200元", "2026年买3箱共1200元"),
    ],
)
def test_numbers_that_belong_to_a_person_are_hidden(said, hidden):
    assert hide_numbers(said) == hidden


def test_scripts_are_counted_in_force(ground, ids):
    with ground.reading() as session:
        assert service.offered_count(session, CORP) == len(LIBRARY)
