"""A customer's message reaches a page that is held open by the real server, from another process."""

from pathlib import Path

import httpx
import pytest

from benchmarks.sidebar import cookie_of
from bot.sandbox.server import SandboxServer
from crm_core import customers
from crm_core.ids import StaffUserId
from tests.support.product import in_process, processes, wait_for
from tests.support.recommend_chats import from_customer

STAFF, WHO = StaffUserId("zhang.san"), "wm_live_page"


@pytest.mark.timeout(90)
def test_news_crosses_processes_and_the_page_then_asks_for_the_answer(
    sandbox: SandboxServer, database_url: str, tmp_path: Path
) -> None:
    with processes(sandbox, tmp_path, database_url) as crew, in_process(sandbox, database_url) as product:
        crew.start("serve", "serve")
        crew.wait_ready()
        product.receive(product.add_xml(STAFF, WHO))
        product.work()
        with product.house.db.reading() as session:
            assert wait_for(lambda: customers.find_follow(session, product.corp, STAFF, WHO) is not None)
        headers = {"Cookie": cookie_of(product.corp, STAFF)}
        base = f"{crew.url}/sidebar/customers/{WHO}/suggest"
        with httpx.Client(headers=headers, timeout=20) as client:
            assert client.get(base).status_code == 204
            with client.stream("GET", f"{base}/live") as held:
                assert held.status_code == 200
                assert "x-scrm-live" not in held.headers
                lines = held.iter_lines()
                assert next(lines).startswith("retry:")
                with product.house.db.unit() as uow:
                    message = from_customer(STAFF, WHO, "发票怎么开", product.clock.now())
                    product.house.chat.store.append(uow, product.corp, [message])
                    uow.commit()
                assert next(line for line in lines if line.startswith("event:")) == "event: news"
            assert "发票怎么开" in client.get(base).text
        assert httpx.get(f"{base}/live", timeout=10).status_code == 401
