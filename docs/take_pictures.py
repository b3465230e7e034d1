"""Take the pictures of the README and of docs/guide from a running demo in which a day was played. ``make shots``."""

import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support import servers
from tests.support.product import free_port, wait_for

PICTURES = Path(__file__).parent / "pictures"
PLAY_MS = 150_000
ADMIN = "孙浩"
CONSOLE = {
    "console-home": "/console/",
    "console-customers": "/console/customers",
    "console-live-codes": "/console/live-codes",
    "console-tags": "/console/tags",
    "console-sops": "/console/sops",
    "console-scripts": "/console/scripts",
    "console-materials": "/console/materials",
    "console-radar": "/console/radar",
    "console-tasks": "/console/tasks",
    "console-staff": "/console/staff",
    "console-corps": "/console/corps",
    "console-guide": "/console/guide",
    "console-system": "/console/system",
    "console-audit": "/console/audit",
}


def main() -> None:
    port, wecom_port = free_port(), free_port()
    command = [sys.executable, "-m", "bot", "demo", "--port", str(port), "--wecom-port", str(wecom_port)]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert demo.stdout is not None
        wait_for(lambda: "就绪" in demo.stdout.readline(), seconds=60, what="the demo")  # type: ignore[union-attr]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=servers.chromium(), args=servers.CHROMIUM_FLAGS)
            office = new_page(browser)
            office.goto(f"http://127.0.0.1:{wecom_port}/")
            play_a_day(office)
            shoot_demo(office)
            shoot_console(new_page(browser), f"http://127.0.0.1:{port}")
            browser.close()
    finally:
        demo.terminate()
        demo.wait(30)


def new_page(browser: Browser) -> Page:
    page = browser.new_page(viewport={"width": 1440, "height": 900}, device_scale_factor=1.5, locale="zh-CN")
    page.set_default_timeout(20_000)
    return page


def play_a_day(page: Page) -> None:
    page.get_by_role("button", name="演一天").click()
    expect(page.get_by_role("button", name="停止")).to_be_visible()
    expect(page.get_by_role("button", name="停止")).to_be_hidden(timeout=PLAY_MS)


def shoot_demo(page: Page) -> None:
    page.locator(".phone-side select").first.select_option(index=0)
    page.locator("#phone, .phone-side").get_by_text("扫一扫").last.click()
    name = page.locator("#phone-body").get_by_text("门店活码·徐汇")
    name.locator("xpath=ancestor::*[.//button][1]").get_by_role("button", name="扫码").click()
    sidebar = page.frame_locator("#side-frame iframe")
    expect(sidebar.locator("#tasks")).to_contain_text("加好友后的第一句", timeout=20_000)
    expect(sidebar.locator("#head")).to_contain_text("全屋定制", timeout=20_000)
    page.wait_for_timeout(800)
    page.screenshot(path=PICTURES / "demo.png")
    page.locator("#side-frame").screenshot(path=PICTURES / "sidebar.png")


def shoot_console(page: Page, product: str) -> None:
    page.goto(f"{product}/console/")
    page.get_by_role("link", name="一键登录").click()
    page.get_by_text(ADMIN).first.click()
    page.wait_for_url(f"{product}/console/**")
    for name, path in CONSOLE.items():
        page.goto(product + path)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
