"""Operators fill the library and the scripts in the console; staff send what they put there. Real Chromium."""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server

from bot import bootstrap, qr
from bot.app import create_app
from bot.sandbox.server import SandboxServer
from bot.wiring import House, build
from materials import material_lists, script_desk
from materials.material_lists import MaterialQuery
from materials.script_desk import ScriptQuery
from tests.support.pictures import keep_picture
from tests.support.product import free_port, make_settings
from tests.unit.materials.conftest import pdf, picture

pytestmark = pytest.mark.browser
AXE_SOURCE = Path(__file__).parent / "vendor" / "axe.min.js"
AXE = """async () => (await axe.run({include: [['#main'], ['#drawer']]}, {resultTypes: ['violations']})).violations
  .filter((fault) => ['serious', 'critical'].includes(fault.impact))
  .map((fault) => fault.id + ': ' + fault.nodes.map((node) => node.html.slice(0, 120)).join(' | '))"""
PASTE = """async (color) => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 32;
  const brush = canvas.getContext('2d');
  brush.fillStyle = color;
  brush.fillRect(0, 0, 32, 32);
  const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'));
  const given = new DataTransfer();
  given.items.add(new File([blob], '截图.png', {type: 'image/png'}));
  document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: given, bubbles: true}));
}"""
PASSWORD = "a password for this test"
SCRIPT_CSV = "分组,标题,相似问,消息1\n售后,漏水怎么办,渗水了|滴水,马上安排师傅\n售后,漏水怎么办,,重复的\n售后,空的,,\n"


@dataclass
class Desk:
    """The console behind a real port, seen by the first admin."""

    house: House
    page: Page
    url: str
    faults: list[str]

    def go(self, path: str) -> None:
        self.page.goto(f"{self.url}/console{path}")

    def shoot(self, name: str) -> None:
        """A picture in each theme, for people to look at; axe finds nothing serious in either."""
        for theme in ("light", "dark"):
            self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            self.page.evaluate(AXE_SOURCE.read_text("utf-8"))
            assert self.page.evaluate(AXE) == [], f"{name}, {theme}"
            keep_picture(self.page, f"console-materials-{name}-{theme}")
        self.page.emulate_media(color_scheme="light")

    def titles(self, **query: Any) -> list[str]:
        corp = self.house.settings.corps[0].corp_id
        with self.house.db.reading() as session:
            return [one.title for one in material_lists.listing(session, corp, MaterialQuery(**query)).items]

    def scripts(self) -> dict[str, Any]:
        corp = self.house.settings.corps[0].corp_id
        with self.house.db.reading() as session:
            found = script_desk.listing(session, corp, ScriptQuery(), limit=500).items
        return {one.script.title: one.script for one in found}


@pytest.fixture
def desk(tmp_path: Path, browser: Browser, sandbox: SandboxServer, database_url: str) -> Iterator[Desk]:
    port = free_port()
    house = build(make_settings(sandbox, database_url, port=port, admin_password=PASSWORD))
    bootstrap.install_defaults(house)
    server = make_server("127.0.0.1", port, Flask("empty"), threaded=True)
    server.app = create_app(house)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN")
    page = context.new_page()
    page.set_default_timeout(8000)
    faults: list[str] = []
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    made = Desk(house, page, f"http://127.0.0.1:{port}", faults)
    made.go("/sign-in")
    page.get_by_label("管理员密码").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/console/(guide)?$"))  # the first admin sees the guide first
    yield made
    context.close()
    server.shutdown()
    thread.join()
    house.close()


def as_file(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def test_several_files_at_once_a_double_a_refused_one_and_undoing_a_delete(desk: Desk) -> None:
    page = desk.page
    desk.go("/materials")
    assert page.get_by_text("还没有素材").is_visible()
    page.locator("[data-upload-input]").set_input_files(
        [
            as_file("样板间.png", picture((640, 480), color="teal")),
            as_file("报价.pdf", pdf()),
            as_file("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
        ]
    )
    page.wait_for_selector(".uploads .is-bad >> text=SVG 请先导出为 PNG")
    page.wait_for_selector(".tile >> nth=1")
    assert sorted(desk.titles()) == ["报价", "样板间"]
    page.locator("[data-upload-input]").set_input_files([as_file("又一次.png", picture((640, 480), color="teal"))])
    page.get_by_role("button", name="仍然添加").wait_for()
    assert "已经有同样的文件：“样板间”" in page.locator(".uploads").inner_text()
    page.evaluate(PASTE, "olive")
    page.locator(".tile", has_text="截图").wait_for()
    desk.shoot("list")
    page.locator(".tile-open", has_text="样板间").click()
    page.get_by_role("heading", name="样板间").wait_for()
    desk.shoot("drawer")
    page.keyboard.press("Escape")
    page.get_by_label("选择 样板间").check()
    page.get_by_role("button", name="删除").click()
    page.get_by_text("已删除 1 个素材").wait_for()
    assert sorted(desk.titles()) == ["截图", "报价"]
    page.get_by_role("button", name="撤销").click()
    page.wait_for_selector(".tile >> nth=2")
    assert "样板间" in desk.titles()
    page.set_viewport_size({"width": 360, "height": 812})
    desk.shoot("list-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert [fault for fault in desk.faults if "400" not in fault] == [], "but for the refused file"


def test_an_article_is_written_cleaned_and_keeps_its_former_version(desk: Desk) -> None:
    page = desk.page
    desk.go("/materials/new/article")
    page.get_by_label("名称").fill("装修避坑")
    page.get_by_label("文章标题").fill("三个坑")
    page.locator(".writer-page").click()
    page.keyboard.type("先看合同")
    page.keyboard.press("Control+A")
    page.get_by_role("button", name="加粗").click()
    page.locator("[data-write-picture]").set_input_files([as_file("a.png", picture())])
    page.wait_for_selector(".writer-page img[data-file]")
    page.evaluate("document.querySelector('.writer-page').insertAdjacentHTML('beforeend', '<p data-odd=1>尾</p>')")
    desk.shoot("article")
    page.get_by_role("button", name="保存").click()
    page.wait_for_url("**/materials?made=*")
    with desk.house.db.reading() as session:
        found = material_lists.listing(session, desk.house.settings.corps[0].corp_id, MaterialQuery()).items[0]
    assert "先看合同" in found.content["html"]
    assert "<img data-file=" in found.content["html"]
    assert "data-odd" not in found.content["html"]
    desk.go(f"/materials/{found.id}/edit")
    page.get_by_label("文章标题").fill("四个坑")
    page.get_by_role("button", name="保存").click()
    page.wait_for_url("**/materials?made=*")
    page.locator(".tile-open").click()
    page.get_by_text("第 1 版").wait_for()
    page.get_by_role("button", name="恢复").click()
    with page.expect_navigation():
        page.locator("#ask-yes").click()
    with desk.house.db.reading() as session:
        again = material_lists.get(session, desk.house.settings.corps[0].corp_id, found.id)
    assert (again.version, again.content["title"]) == (3, "三个坑")
    desk.go("/materials/new/poster")
    page.get_by_label("名称").fill("年末海报")
    page.locator("#background").set_input_files([as_file("底图.png", picture((600, 900), color="navy"))])
    page.locator("[data-picker-said]", has_text="底图.png").wait_for()
    page.get_by_label("二维码打开的网址").fill("https://example.com/year-end")
    page.get_by_label("二维码位置").select_option(label="底部居中")
    page.get_by_role("button", name="保存").click()
    page.wait_for_url("**/materials?made=*")
    with desk.house.db.reading() as session:
        poster = material_lists.listing(session, desk.house.settings.corps[0].corp_id, MaterialQuery()).items[0]
    with desk.house.desk.store.open(poster.content["file"]) as drawn:
        assert qr.decode(drawn.read()) == "https://example.com/year-end"
    desk.go("/materials/new/link")
    page.get_by_label("名称").fill("坏链接")
    page.get_by_label("网址").fill("javascript:alert(1)")
    page.get_by_label("卡片标题").fill("a")
    page.get_by_role("button", name="保存").click()
    page.locator("#url-fault", has_text="http://").wait_for()
    assert [fault for fault in desk.faults if "422" not in fault] == []


def test_scripts_are_written_with_a_preview_imported_and_approved(desk: Desk, tmp_path: Path) -> None:
    page = desk.page
    desk.go("/materials")
    page.locator("[data-upload-input]").set_input_files([as_file("样板间.png", picture())])
    page.wait_for_selector(".tile")
    desk.go("/scripts/new")
    page.get_by_label("标题").fill("先问面积")
    page.locator("#text_1").fill("您好，面积多大？")
    page.locator("#text_1").press("Home")
    page.locator("[data-insert='{昵称}']").first.click()
    page.locator("#material_1").select_option(label="图片 · 样板间")
    page.get_by_label("相似问").fill("多少钱能装\n大概什么价")
    page.locator("[data-preview] .bubble >> text=王女士您好，面积多大？").wait_for()
    desk.shoot("script-editor")
    page.get_by_role("button", name="保存并启用").click()
    page.wait_for_url("**/scripts?folder=*")
    made = desk.scripts()["先问面积"]
    assert made.similar == ("多少钱能装", "大概什么价")
    assert made.messages[0]["attachments"][0]["material"]["title"] == "样板间"
    page.get_by_role("link", name="先问面积").click()
    page.locator("#drawer .bubble.is-file").wait_for()
    desk.shoot("scripts")
    desk.go("/scripts/import")
    page.locator("#file").set_input_files([as_file("话术.csv", SCRIPT_CSV.encode("gbk"))])
    page.get_by_role("button", name="预览").click()
    page.get_by_text("与文件里第 2 行重复").wait_for()
    assert page.get_by_text("没有消息内容").is_visible()
    desk.shoot("import")
    page.get_by_role("button", name="确认导入").click()
    page.get_by_text("新增 1 条").wait_for()
    assert desk.scripts()["漏水怎么办"].similar == ("渗水了", "滴水")
    with page.expect_download() as download:
        desk.page.evaluate("location.href = '/console/scripts/export.xlsx'")
    assert download.value.suggested_filename == "话术.xlsx"
    _propose(desk)
    desk.go("/scripts/approvals")
    desk.shoot("approvals")
    with page.expect_navigation():
        page.get_by_role("button", name="通过").click()
    assert desk.scripts()["先问面积"].text.startswith("换个说法")
    assert desk.faults == []


def _propose(desk: Desk) -> None:
    """Somebody without the right to approve changes a script."""
    made = desk.scripts()["先问面积"]
    form = script_desk.ScriptForm(
        group_id=made.group_id, title=made.title, messages=({"text": "换个说法", "attachments": []},)
    )
    with desk.house.db.unit() as uow:
        corp = desk.house.settings.corps[0].corp_id
        script_desk.save(uow, corp, "zhang.san", form, may_approve=False, script_id=made.id)  # type: ignore[arg-type]
        uow.commit()
