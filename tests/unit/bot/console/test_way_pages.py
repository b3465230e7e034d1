"""Live codes, greetings, tags and groups at the console, against the local WeCom."""

import re
from html import unescape

from crm_core import welcome_messages
from crm_core.ids import StaffUserId
from tests.console_house import ADMIN, OPERATOR, STAFF, SUPERVISOR, Console

FORM = {"name": "地铁广告", "staff": ["zhang.san", "LiNa"], "skip_verify": "1", "welcome_text": "{昵称}您好"}


def made(console: Console, **more: object) -> str:
    answer = console.post(console.client(OPERATOR), "/console/live-codes", {**FORM, **more})
    assert answer.status_code == 302, answer.get_data(as_text=True)
    console.product.work()
    return answer.headers["Location"]


def at_wecom(console: Console) -> dict[str, object]:
    return {way.remark: way for way in console.product.wecom.world.corps[console.product.corp].ways.values()}


def test_a_code_is_made_changed_and_deleted_at_wecom(console: Console) -> None:
    client, path = console.client(OPERATOR), made(console)
    assert at_wecom(console)["地铁广告"].user == ["zhang.san", "LiNa"]
    page = client.get(path).get_data(as_text=True)
    assert "使用中" in page
    assert "林小满您好" in page
    changed = {**FORM, "name": "地铁广告 2", "staff": ["LiNa"], "skip_verify": "", "memo": ""}
    assert console.post(client, f"{path}/edit", changed).status_code == 302
    assert "更新中" in client.get(path).get_data(as_text=True)
    console.product.work()
    way = at_wecom(console)["地铁广告 2"]
    assert (way.user, way.skip_verify) == (["LiNa"], False)
    assert console.post(client, f"{path}/delete").status_code == 204
    console.product.work()
    assert "地铁广告 2" not in at_wecom(console)
    assert "地铁广告" not in client.get("/console/live-codes").get_data(as_text=True)


def test_a_refused_change_says_why_and_leaves_the_code_in_use(console: Console) -> None:
    client, path = console.client(OPERATOR), made(console)
    corp = console.product.wecom.world.corps[console.product.corp]
    corp.ways.clear()  # somebody deleted it in WeCom's own console
    console.post(client, f"{path}/edit", {**FORM, "staff": ["LiNa"]})
    console.product.work()
    page = client.get(path).get_data(as_text=True)
    assert "上次修改没有成功" in page
    assert "41044" in page


def test_the_form_says_what_is_wrong_beside_the_field_and_summed_up(console: Console) -> None:
    client = console.client(OPERATOR)
    answer = console.post(client, "/console/live-codes", {"name": "", "customer_remark": "长" * 21})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "有 3 处需要修改" in page
    assert '<a href="#customer_remark">' in page
    typed = {"name": "", "touched": "name", "welcome_text": "{昵称}早"}
    part = console.post(client, "/console/live-codes/check", typed).get_data(as_text=True)
    assert "请填写活码名称" in part
    assert "请至少选择一位员工" not in part  # not touched yet
    assert "林小满早" in part


def test_a_code_for_one_cannot_become_one_for_several(console: Console) -> None:
    client, path = console.client(OPERATOR), made(console, staff=["LiNa"])
    answer = console.post(client, f"{path}/edit", {**FORM, "staff": ["LiNa", "zhang.san"]})
    assert answer.status_code == 422
    assert "请新建一个活码" in answer.get_data(as_text=True)


def test_the_figures_of_a_code_count_what_it_brought_and_lead_to_the_rows(console: Console) -> None:
    from crm_core import contact_ways

    with console.product.house.db.reading() as session:
        way = contact_ways.listing(session, console.product.corp)[-1]
    for number, staff in enumerate(("zhang.san", "LiNa", "LiNa")):
        console.product.receive(console.product.add_xml(staff, f"wm_new_{number}", state=way.state))
    console.product.work()
    page = console.client(ADMIN).get(f"/console/live-codes/{way.id}").get_data(as_text=True)
    assert re.search(r"累计添加</span>\s*<span class=\"figure-value\">3", page)
    assert "近 30 天添加 3 位" in page
    assert (
        len(re.findall("wm_new_", console.client(ADMIN).get(f"/console/customers?way={way.id}").get_data(as_text=True)))
        >= 3
    )
    own = console.client(SUPERVISOR).get("/console/live-codes").get_data(as_text=True)
    assert f'/console/customers?way={way.id}&amp;added=today">3</a>' in own


def test_the_picture_can_be_downloaded_and_nobody_else_may_change_codes(console: Console) -> None:
    path = made(console)
    got = console.client(SUPERVISOR).get(f"{path}/code.svg?download")
    assert got.mimetype == "image/svg+xml"
    assert "attachment" in got.headers["Content-Disposition"]
    assert console.client(ADMIN).get(f"{path}/code.gif").status_code == 400
    assert console.post(console.client(SUPERVISOR), f"{path}/delete").status_code == 403
    assert console.client(STAFF).get(path).status_code == 403


def test_greetings_of_the_corp_and_of_one_member(console: Console) -> None:
    client = console.client(OPERATOR)
    link = {"link_title_0": "案例", "link_url_0": "https://yunfan.example.com/c"}
    assert console.post(client, "/console/welcome/LiNa", {"welcome_text": "我是李娜", **link}).status_code == 302
    page = client.get("/console/welcome").get_data(as_text=True)
    assert "我是李娜" in page
    assert "欢迎联系云帆家居" in page
    too_long = console.post(client, "/console/welcome/LiNa", {"welcome_text": "长" * 1400})
    assert too_long.status_code == 422
    assert console.post(client, "/console/welcome/nobody", {}).status_code == 404
    console.post(client, "/console/welcome/LiNa", {"welcome_text": ""})
    assert "我是李娜" not in client.get("/console/welcome").get_data(as_text=True)


def test_what_the_greeting_form_has_no_field_for_is_kept(console: Console) -> None:
    picture = {"msgtype": "image", "image": {"pic_url": "https://yunfan.example.com/hall.png"}}
    links = [
        {"title": f"链接{n}", "url": "https://yunfan.example.com", "picurl": "https://y.example/p"} for n in range(3)
    ]
    message = {"text": "您好", "attachments": [*({"msgtype": "link", "link": one} for one in links), picture]}
    house = console.product.house
    with house.db.unit() as uow:
        welcome_messages.set_message(uow, console.product.corp, StaffUserId("LiNa"), message)
        uow.commit()
    client = console.client(OPERATOR)
    page = client.get("/console/welcome/LiNa").get_data(as_text=True)
    inputs = re.findall(r'name="(link_\w+|kept)"[^>]*? value="([^"]*)"', page)
    given: dict[str, str] = {name: unescape(value) for name, value in inputs}
    given["welcome_text"] = "您好呀"
    assert console.post(client, "/console/welcome/LiNa", given).status_code == 302
    with house.db.reading() as session:
        kept = welcome_messages.by_staff(session, console.product.corp)["LiNa"]
    assert kept == {**message, "text": "您好呀"}
    broken = console.post(client, "/console/welcome/check", {"welcome_text": "您好", "kept": "{"})
    assert "没有读懂" in broken.get_data(as_text=True)


def change(console: Console, **given: str) -> str:
    return console.post(console.client(OPERATOR), "/console/tags/change", given).get_data(as_text=True)


def tag_names(console: Console) -> list[str]:
    return re.findall(
        r'<li><span class="chip">([^<]+)</span>', console.client(ADMIN).get("/console/tags").get_data(as_text=True)
    )


def target(console: Console, label: str) -> str:
    page = console.client(ADMIN).get("/console/tags").get_data(as_text=True)
    return re.search(rf'name="target" value="([^"]+)"><button[^>]*aria-label="删除 {label}"', page).group(1)


def test_tags_are_made_renamed_moved_and_deleted_at_wecom_first(console: Console) -> None:
    assert "正在等企业微信确认" in change(console, act="add", group_name="来源", names="抖音、小红书，抖音")
    assert "抖音" not in tag_names(console)
    console.product.work()
    assert {"抖音", "小红书"} <= set(tag_names(console))
    assert "已有名为“来源”的标签组" in change(console, act="add", group_name="来源", names="微博")
    change(console, act="rename", target=target(console, "抖音"), name="抖音直播")
    console.product.work()
    assert {"抖音直播", "小红书"} <= set(tag_names(console))
    first, second = (name for name in tag_names(console) if name in ("抖音直播", "小红书"))
    change(console, act="down", target=target(console, first))
    console.product.work()
    assert [name for name in tag_names(console) if name in (first, second)] == [second, first]
    change(console, act="delete", target=target(console, "来源"))
    console.product.work()
    assert not {"抖音直播", "小红书"} & set(tag_names(console))


def test_a_refused_tag_change_is_told_until_somebody_has_read_it(console: Console) -> None:
    console.product.wecom.options.change({"tag_limit": 11})
    change(console, act="add", target=target(console, "户型"), names="阁楼")
    console.product.work()
    page = console.client(ADMIN).get("/console/tags").get_data(as_text=True)
    assert "没有成功" in page
    number = re.search(r'value="dismiss"><input type="hidden" name="target" value="(\d+)"', page).group(1)
    assert "没有成功" not in change(console, act="dismiss", target=number)


def test_groups_with_members_and_todays_moves(console: Console) -> None:
    page = console.client(ADMIN).get("/console/groups").get_data(as_text=True)
    path = re.search(r'href="(/console/groups/[^"]+)">浦东业主团购群', page).group(1)
    group = console.client(ADMIN).get(path).get_data(as_text=True)
    assert "大王叫我来巡山" in group
    assert console.client(STAFF).get(path).status_code == 404
    assert "浦东业主团购群" not in console.client(STAFF).get("/console/groups").get_data(as_text=True)
