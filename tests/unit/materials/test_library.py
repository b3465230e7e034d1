from datetime import timedelta

import pytest

from crm_core import staff
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.events import StaffUpdated
from crm_core.ids import StaffUserId
from crm_core.ports import DepartmentFacts, StaffFacts
from materials import files, folders, library, material_lists, script_desk
from materials.material_lists import MaterialQuery, Viewer
from materials.material_model import MaterialDraft
from materials.script_model import parse_form
from tests.support.ground import APP, CORP, LI, OTHER_CORP, ZHANG

from .conftest import Library, mp4, pdf, picture


def titles(shelf: Library, *, corp=CORP, **query) -> list[str]:
    with shelf.ground.reading() as session:
        return [item.title for item in material_lists.listing(session, corp, MaterialQuery(**query)).items]


def test_each_kind_is_kept_with_what_it_needs(shelf):
    cover = shelf.upload(picture())
    made = [
        shelf.make("text", "营业时间", text="每天 9:00–21:00"),
        shelf.image(),
        shelf.make("poster", "年末海报", file=cover, background=cover, qr_text="https://a.cn", qr_place="middle"),
        shelf.make("link", "官网", url="https://example.com/a", title="云帆家居", cover=cover),
        shelf.make("article", "装修避坑", title="避坑", html=f'<p onclick="x()">注意<img data-file="{cover}"></p>'),
        shelf.make("file", "报价单", file=shelf.upload(pdf(), "报价.pdf"), filename="报价.pdf"),
        shelf.make("video", "工地实拍", file=shelf.upload(mp4(), "a.mp4")),
        shelf.make("miniprogram", "预约量房", title="预约", appid="wx1", page="pages/a.html", cover=cover),
    ]
    assert [one.kind for one in made] == list(material_lists_kinds())
    assert made[4].content["html"] == f'<p>注意<img data-file="{cover}"></p>'
    assert made[2].picture == made[3].picture == cover
    with shelf.ground.reading() as session:
        assert material_lists.kind_counts(session, CORP) == dict.fromkeys(material_lists_kinds(), 1)


def material_lists_kinds() -> tuple[str, ...]:
    return ("text", "image", "poster", "link", "article", "file", "video", "miniprogram")


@pytest.mark.parametrize(
    ("kind", "content", "field"),
    [
        ("song", {}, "kind"),
        ("text", {"text": " "}, "text"),
        ("text", {"text": "长" * 1400}, "text"),
        ("text", {"text": "\ud83d"}, "text"),
        ("image", {}, "file"),
        ("image", {"file": "../../etc/passwd"}, "file"),
        ("link", {"url": "javascript:alert(1)", "title": "a"}, "url"),
        ("link", {"url": "https://a.cn", "title": "长" * 43}, "title"),
        ("miniprogram", {"title": "a", "appid": "b", "page": "pages/a", "cover": "a" * 64}, "page"),
        ("article", {"title": "a", "html": "<script>alert(1)</script>"}, "html"),
    ],
)
def test_what_wecom_would_refuse_is_refused_by_field(shelf, kind, content, field):
    with pytest.raises(InputInvalid) as caught:
        shelf.make(kind, **content)
    assert caught.value.field == field


def test_a_file_of_another_corp_or_kind_cannot_be_used(shelf):
    foreign = shelf.upload(picture(color="blue"), corp=OTHER_CORP)
    with pytest.raises(NotFound):
        shelf.make("image", file=foreign)
    with pytest.raises(InputInvalid, match="类型不对"):
        shelf.make("video", file=shelf.upload(picture()))
    with pytest.raises(NotFound):
        shelf.make("article", title="a", html=f'<img data-file="{foreign}">')


def test_the_same_file_is_stored_once_and_its_material_is_named(shelf):
    first = shelf.image("样板间实拍")
    again = shelf.upload(picture(), "other name.png")
    assert again == first.content["file"]
    with shelf.ground.reading() as session:
        assert files.twins(session, CORP, again) == ["样板间实拍"]
        assert files.twins(session, OTHER_CORP, again) == []
    assert sum(1 for path in shelf.store._folder.rglob("*") if path.is_file()) == 1


def draft(material, **changes) -> MaterialDraft:
    parts = {name: getattr(material, name) for name in ("kind", "title", "content", "folder_id", "tags", "departments")}
    return MaterialDraft(**(parts | changes))


def test_a_change_keeps_the_former_one_and_it_can_be_restored(shelf):
    made = shelf.make("text", "地址", text="徐汇路 1 号")
    with shelf.ground.committed() as uow:
        moved = library.change(uow, CORP, "li", made.id, draft(made, content={"text": "徐汇路 2 号"}), seen=1)
        assert (moved.version, moved.content) == (2, {"text": "徐汇路 2 号"})
        tagged = library.change(uow, CORP, "li", made.id, draft(moved, tags=("地址",)), seen=2)
        assert (tagged.version, tagged.tags) == (2, ("地址",))
        with pytest.raises(Conflict):
            library.change(uow, CORP, "zhang", made.id, draft(made), seen=1)
        with pytest.raises(InputInvalid, match="类型不能改"):
            library.change(uow, CORP, "zhang", made.id, draft(made, kind="link"), seen=2)
        back = library.restore_version(uow, CORP, "zhang", made.id, 1)
        assert (back.version, back.content, back.tags) == (3, {"text": "徐汇路 1 号"}, ("地址",))
        former = material_lists.versions(uow.session, CORP, made.id)
        assert [(one.version, one.content["text"], one.changed_by) for one in former] == [
            (2, "徐汇路 2 号", "li"),
            (1, "徐汇路 1 号", "zhang"),
        ]
        with pytest.raises(NotFound):
            library.restore_version(uow, OTHER_CORP, "zhang", made.id, 1)


def test_only_twenty_former_versions_are_kept(shelf):
    made = shelf.make("text", "地址", text="0")
    with shelf.ground.committed() as uow:
        for number in range(1, 25):
            library.change(uow, CORP, "li", made.id, draft(made, content={"text": str(number)}), seen=number)
        kept = [one.version for one in material_lists.versions(uow.session, CORP, made.id)]
    assert kept == list(range(24, 4, -1))


def test_found_by_words_tags_pinyin_and_what_is_inside(shelf):
    shelf.make("text", "徐汇店地址", text="漕溪北路 88 号 3 楼", tags=("门店",))
    shelf.make("text", "优惠 100%", text="满减活动")
    assert titles(shelf, words="徐汇") == ["徐汇店地址"]
    assert titles(shelf, words="门店 漕溪") == ["徐汇店地址"]
    assert titles(shelf, words="xhd") == titles(shelf, words="xuhui") == ["徐汇店地址"]
    assert titles(shelf, words="100%") == ["优惠 100%"]
    assert titles(shelf, words="%") == ["优惠 100%"]
    assert titles(shelf, words="不存在") == []
    assert titles(shelf, tag="门店") == ["徐汇店地址"]
    assert titles(shelf, kind="image") == []
    assert titles(shelf, corp=OTHER_CORP) == []
    with shelf.ground.reading() as session:
        assert material_lists.all_tags(session, CORP) == ["门店"]


def test_pages_go_on_where_the_last_one_ended(shelf):
    for number in range(5):
        shelf.make("text", f"第 {number} 个", text="a")
    with shelf.ground.reading() as session:
        first = material_lists.listing(session, CORP, MaterialQuery(), limit=3)
        rest = material_lists.listing(session, CORP, MaterialQuery(), before=first.next_before, limit=3)
    assert [one.title[2] for one in (*first.items, *rest.items)] == list("43210")
    assert rest.next_before == 0


def test_departments_and_expiry_decide_what_staff_see(shelf):
    ground = shelf.ground
    with ground.committed() as uow:
        tree = ((1, 0), (2, 1), (3, 2), (4, 1))
        staff.apply_departments(uow, CORP, [DepartmentFacts(dept_id=own, parent_id=up) for own, up in tree])
        for userid, department in ((ZHANG, 3), (LI, 4)):
            staff.apply_staff(uow, CORP, StaffFacts(userid=userid, departments=(department,)))
    shelf.make("text", "所有人", text="a")
    sales = shelf.make("text", "销售部", text="a", departments=(2,))
    shelf.make("text", "三天", text="a", expires_at=ground.clock.now() + timedelta(days=3))

    def seen(userid: str) -> list[str]:
        return titles(shelf, viewer=Viewer(staff=StaffUserId(userid), now=ground.clock.now()))

    assert seen(ZHANG) == ["三天", "销售部", "所有人"]
    assert seen(LI) == seen("nobody") == ["三天", "所有人"]
    with ground.reading() as session, pytest.raises(NotFound):
        material_lists.get(session, CORP, sales.id, viewer=Viewer(staff=LI, now=ground.clock.now()))
    ground.clock.move(days=3)
    assert seen(ZHANG) == ["销售部", "所有人"]
    assert titles(shelf) == ["三天", "销售部", "所有人"]


def test_the_recycle_bin_gives_back_and_forgets_in_the_end(shelf):
    ground = shelf.ground
    with ground.committed() as uow:
        folder = folders.create(uow, CORP, "门店")
    made = shelf.make("text", "地址", text="a", folder_id=folder, tags=("x",))
    with ground.committed() as uow:
        assert library.delete(uow, OTHER_CORP, "li", [made.id]) == 0
        assert library.delete(uow, CORP, "li", [made.id, 999]) == 1
        folders.delete(uow, CORP, folder)
    assert titles(shelf) == []
    assert titles(shelf, deleted=True) == ["地址"]
    with ground.committed() as uow:
        assert library.undelete(uow, CORP, [made.id]) == 1
        assert material_lists.get(uow.session, CORP, made.id).folder_id == 0
        library.delete(uow, CORP, "li", [made.id])
    ground.clock.move(days=29)
    with ground.committed() as uow:
        assert library.empty_bin(uow, older_than=timedelta(days=30)) == 0
    ground.clock.move(days=2)
    with ground.committed() as uow:
        assert library.empty_bin(uow, older_than=timedelta(days=30)) == 1
        with pytest.raises(NotFound):
            material_lists.get(uow.session, CORP, made.id)
        assert material_lists.all_tags(uow.session, CORP) == []


def test_uses_are_counted_once_per_key_and_by_person(shelf):
    made = shelf.make("text", "地址", text="a")
    with shelf.ground.committed() as uow:
        assert library.record_use(uow, CORP, ZHANG, made.id, key="1")
        assert not library.record_use(uow, CORP, ZHANG, made.id, key="1")
        assert library.record_use(uow, CORP, ZHANG, made.id, key="2")
        assert library.record_use(uow, CORP, LI, made.id, key="1")
        with pytest.raises(NotFound):
            library.record_use(uow, OTHER_CORP, LI, made.id, key="3")
    with shelf.ground.reading() as session:
        assert material_lists.get(session, CORP, made.id).uses == 3
        assert [(one.staff, one.count) for one in material_lists.users_of(session, CORP, made.id)] == [
            (ZHANG, 2),
            (LI, 1),
        ]


def test_a_member_with_a_new_userid_keeps_what_they_sent_and_proposed(shelf):
    made, ground, renamed = shelf.make("text", "地址", text="a"), shelf.ground, StaffUserId("zhang2")
    with ground.committed() as uow:
        library.record_use(uow, CORP, ZHANG, made.id, key="1")
        folder = script_desk.create_folder(uow, CORP, "报价")
        form = parse_form(group_id=folder, title="a", messages=[{"text": "a"}])
        script_desk.save(uow, CORP, ZHANG, form, may_approve=False)
    told = {"corp": CORP, "app": APP, "occurred_at": ground.clock.now(), "key": "k"}
    ground.handle(StaffUpdated(**told, staff=ZHANG, new_staff=renamed, fields={}), library.rename_staff)
    ground.handle(StaffUpdated(**told, staff=LI, new_staff=None, fields={}), library.rename_staff)
    with ground.reading() as session:
        assert [one.staff for one in material_lists.users_of(session, CORP, made.id)] == [renamed]
        assert [one.author for one in script_desk.proposals(session, CORP)] == [renamed]


def test_folders_form_a_tree_that_can_be_sorted_and_moved(shelf):
    ground = shelf.ground
    with ground.committed() as uow:
        shop, brand = folders.create(uow, CORP, "门店"), folders.create(uow, CORP, "品牌")
        inner = folders.create(uow, CORP, "徐汇", parent_id=shop)
        folders.create(uow, OTHER_CORP, "别家的")
    shelf.make("text", "地址", text="a", folder_id=inner)

    def tree() -> list[tuple[str, int]]:
        with ground.reading() as session:
            return [(one.name, one.count) for one in folders.tree(session, CORP)]

    assert tree() == [("门店", 0), ("徐汇", 1), ("品牌", 0)]
    assert titles(shelf, folder_id=inner) == ["地址"]
    assert titles(shelf, folder_id=0) == []
    with ground.committed() as uow:
        folders.sort(uow, CORP, [brand, shop])
        folders.rename(uow, CORP, inner, "徐汇店")
        for act, error in (
            (lambda: folders.create(uow, CORP, "门店"), Conflict),
            (lambda: folders.rename(uow, CORP, brand, "门店"), Conflict),
            (lambda: folders.delete(uow, CORP, inner), Conflict),
            (lambda: folders.delete(uow, CORP, shop), Conflict),
            (lambda: folders.move(uow, CORP, shop, parent_id=inner), InputInvalid),
            (lambda: folders.move(uow, OTHER_CORP, shop, parent_id=0), NotFound),
            (lambda: folders.create(uow, CORP, " "), InputInvalid),
        ):
            with pytest.raises(error):
                act()
    assert tree() == [("品牌", 0), ("门店", 0), ("徐汇店", 1)]
    with ground.committed() as uow:
        folders.move(uow, CORP, inner, parent_id=brand)
    assert tree() == [("品牌", 0), ("徐汇店", 1), ("门店", 0)]
    with ground.committed() as uow:
        deepest = inner
        for number in range(3):
            deepest = folders.create(uow, CORP, f"层 {number}", parent_id=deepest)
        with pytest.raises(InputInvalid, match="最多 5 层"):
            folders.create(uow, CORP, "太深", parent_id=deepest)
        with pytest.raises(InputInvalid, match="最多 5 层"):
            folders.move(uow, CORP, brand, parent_id=shop)
