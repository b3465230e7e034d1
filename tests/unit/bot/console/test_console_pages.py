"""Home, staff and roles, SOPs, corps and guide, audit and settings: what people see and do."""

import json
import re

import pytest
from sqlmodel import select

from bot import bootstrap
from bot.console import audit_words, trend
from bot.console.forms import Reading
from bot.console.pages_frame import own_path
from bot.console.pages_records import spoken_workdays
from bot.console.pages_sops import spoken_when
from crm_core import audit, roles, staff_directory
from crm_core.audit import AuditEntry, AuditFilter
from crm_core.config import WorktimePart
from crm_core.ids import StaffUserId
from crm_core.overview import Day
from crm_core.roles import Role, Scope
from sop import runner
from sop.model import When
from tests.architecture.sources import sources
from tests.console_system_house import WHO, ConsoleHouse


@pytest.fixture(scope="module")
def console(shared_console: ConsoleHouse) -> ConsoleHouse:
    return shared_console


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def grant_of(console: ConsoleHouse, userid: str) -> roles.Grant:
    with console.product.house.db.reading() as session:
        return roles.grant_of(session, console.product.corp, StaffUserId(userid))


@pytest.fixture
def with_sop(console: ConsoleHouse) -> ConsoleHouse:
    """The built-in plan, and a customer inside it."""
    product = console.product
    bootstrap.install_defaults(product.house)
    product.receive(product.add_xml("zhang.san", "wm_inside"))
    product.work()
    product.clock.advance(seconds=5)
    runner.run_once(product.house.db, product.house.sop, 100)
    return console


class TestHome:
    def test_figures_lead_to_their_rows_and_the_chart_to_its_table(self, console: ConsoleHouse) -> None:
        page = console.read(console.signed_in(), "/")
        for path in ("customers?added=today", "customers?lost=today", "todos?due=today", "todos?due=overdue"):
            assert f'href="/console/{path}"' in page
        assert page.count("<rect") == 14
        assert re.search(r"近 14 天每日新增与流失，共新增 \d+，流失 \d+", page)
        assert "系统运行" in page
        assert "上线步骤没有完成" in text_of(page)

    def test_plain_staff_see_neither_health_nor_steps(self, console: ConsoleHouse) -> None:
        page = console.read(console.signed_in(Role.STAFF), "/").partition('id="main"')[2]
        assert "health-title" not in page
        assert "上线步骤" not in page

    def test_whoever_can_act_is_led_to_the_guide_once_per_sign_in(self, console: ConsoleHouse) -> None:
        fresh = console.as_member(WHO[Role.ADMIN], guided=False)
        assert fresh.get("/console/").headers["Location"] == "/console/guide"
        console.read(fresh, "/guide")
        assert fresh.get("/console/").status_code == 200
        assert console.as_member(WHO[Role.STAFF], guided=False).get("/console/").status_code == 200

    def test_the_chart_labels_its_peak_and_its_newest_day(self) -> None:
        from datetime import date, timedelta

        days = [Day(day=date(2026, 11, 1) + timedelta(days=n), new=n % 5, lost=1) for n in range(14)]
        drawn = trend.draw(days)
        assert drawn.best.new == 4
        labels = re.findall(r'class="is-said"[^>]*>([^<]+)<', str(drawn.svg))
        assert labels == ["4", "3", "新增"]
        assert "style=" not in drawn.svg


class TestFrame:
    def test_a_theme_is_remembered_and_applied_by_the_server(self, console: ConsoleHouse) -> None:
        client = console.signed_in()
        assert "data-theme" not in console.read(client, "/staff").partition("<body")[0]
        answer = console.write(client, "/theme", theme="dark", to="/console/staff?words=a")
        assert answer.headers["Location"] == "/console/staff?words=a"
        assert "HttpOnly" in answer.headers["Set-Cookie"]
        assert '<html lang="zh-CN" data-theme="dark">' in console.read(client, "/staff")
        assert console.write(client, "/theme", theme="pink").status_code == 400

    @pytest.mark.parametrize(
        "target", ["https://evil.example/", "//evil.example/console/", "/other", "", "/console/\\evil"]
    )
    def test_the_way_back_stays_inside(self, target: str) -> None:
        assert own_path(target) == "/console/"

    def test_a_folded_navigation_is_drawn_folded(self, console: ConsoleHouse) -> None:
        client = console.signed_in()
        client.set_cookie("console_nav", "folded", path="/console")
        assert 'class="nav-folded"' in console.read(client, "/")

    def test_every_page_has_a_title_and_nothing_inline(self, console: ConsoleHouse) -> None:
        client = console.signed_in()
        titles = set()
        for path in ("/", "/sops", "/todos", "/staff", "/staff/roles", "/corps", "/guide", "/system", "/system/inbox",
                     "/audit", "/settings", "/style"):  # fmt: skip
            page = console.read(client, path)
            titles.add(re.findall(r"<title>([^<]+) · 企微 SCRM</title>", page)[0])
            assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", page), path
            assert not re.search(r"<[^>]+\s(on\w+|style)=", page), path
        assert len(titles) == 12


class TestStaff:
    def test_the_list_searches_and_follows_the_tree(self, console: ConsoleHouse) -> None:
        client = console.signed_in()
        assert "张三" in text_of(console.read(client, "/staff?words=ZHANG"))
        assert "没有符合条件的成员" in console.read(client, "/staff?words=没有这个人")
        with console.product.house.db.reading() as session:
            (top,) = staff_directory.tree(session, console.product.corp)
        assert "王武" in text_of(console.read(client, f"/staff?dept={top.dept_id}"))
        assert "主管" in text_of(console.read(client, "/staff?role=supervisor"))

    def test_a_field_is_checked_while_typing(self, console: ConsoleHouse) -> None:
        client = console.signed_in()
        answer = console.write(client, "/staff/LiNa/role", role="staff", scope="corp", _check="scope")
        assert answer.status_code == 200
        assert 'id="scope-fault"' in answer.get_data(as_text=True)
        assert "员工的数据范围只能是“本人”" in answer.get_data(as_text=True)
        fine = console.write(client, "/staff/LiNa/role", role="operator", scope="corp", _check="scope")
        assert " hidden" in fine.get_data(as_text=True)
        assert grant_of(console, "LiNa").role == Role.STAFF

    def test_a_faulty_form_comes_back_with_every_sentence(self, console: ConsoleHouse) -> None:
        answer = console.write(console.signed_in(), "/staff/LiNa/role", role="king", scope="moon")
        page = answer.get_data(as_text=True)
        assert answer.status_code == 422
        assert "有 2 处需要修改" in page
        assert page.count("请选择角色") == page.count("请选择数据范围") == 2

    def test_a_role_is_given_and_told_in_the_log(self, console: ConsoleHouse) -> None:
        client = console.signed_in()
        answer = console.write(client, "/staff/he.yue/role", role="supervisor", scope="department")
        assert "staff-changed" in json.loads(answer.headers["HX-Trigger"])
        assert grant_of(console, "he.yue") == roles.Grant(role=Role.SUPERVISOR, scope=Scope.DEPARTMENT)
        assert "孙浩把员工“何悦”的角色改为“主管，本部门”" in console.read(client, "/audit?act=role.given&object=he.yue")

    def test_the_last_admin_stays(self, console: ConsoleHouse) -> None:
        answer = console.write(console.signed_in(), f"/staff/{WHO[Role.ADMIN]}/role", role="staff", scope="own")
        assert "最后一位管理员" in answer.get_data(as_text=True)
        assert grant_of(console, WHO[Role.ADMIN]).role == Role.ADMIN

    def test_nobody_hands_out_more_than_they_hold(self, console: ConsoleHouse) -> None:
        dealer = console.signed_in(Role.DEALER_ADMIN)
        answer = console.write(dealer, f"/staff/{WHO[Role.DEALER_ADMIN]}/role", role="admin", scope="corp")
        assert "只有管理员可以指定或更换管理员" in answer.get_data(as_text=True)
        answer = console.write(dealer, f"/staff/{WHO[Role.ADMIN]}/role", role="staff", scope="own")
        assert answer.status_code == 422
        answer = console.write(console.signed_in(), "/staff/LiNa/role", role="operator", scope="corps")
        assert "只有能查看全部企业的人" in answer.get_data(as_text=True)

    def test_a_supervisor_sees_their_own_people(self, console: ConsoleHouse) -> None:
        page = text_of(console.read(console.signed_in(Role.SUPERVISOR), "/staff"))
        assert "张三" in page
        assert "孙浩" not in page.partition("全部成员")[2]


class TestSops:
    def test_a_plan_shows_its_steps_and_who_is_inside(self, with_sop: ConsoleHouse) -> None:
        client = with_sop.signed_in()
        assert "新好友跟进" in with_sop.read(client, "/sops")
        page = with_sop.read(client, "/sops/new_friend")
        enrolment = re.findall(r'href="/console(/enrolments/\d+)"', page)[-1]
        assert "/console/sops/new_friend/steps/0/due" in page
        assert "张三" in with_sop.read(client, "/sops/new_friend/steps/0/due")
        assert "加好友后的第一句" in with_sop.read(client, enrolment)
        assert "加好友后的第一句" in with_sop.read(client, "/todos?due=today")
        assert client.get("/console/sops/new_friend/steps/7/due").status_code == 404

    def test_pausing_and_going_on_are_questions_with_an_answer(self, with_sop: ConsoleHouse) -> None:
        client = with_sop.signed_in(Role.OPERATOR)
        assert "sop-changed" in with_sop.write(client, "/sops/new_friend/pause").headers["HX-Trigger"]
        assert with_sop.write(client, "/sops/new_friend/pause").status_code == 409
        page = with_sop.read(client, "/sops/new_friend")
        assert "已暂停" in page
        assert "/console/sops/new_friend/resume" in page
        assert with_sop.write(client, "/sops/new_friend/resume").status_code == 204
        log = with_sop.read(with_sop.signed_in(), "/audit?object=new_friend")
        assert "周敏暂停了 SOP“新好友跟进”" in log
        assert "周敏恢复了 SOP“新好友跟进”" in log

    def test_one_customer_is_taken_out(self, with_sop: ConsoleHouse) -> None:
        product = with_sop.product
        product.receive(product.add_xml("LiNa", "wm_taken_out"))
        product.work()
        from sop.tables import EnrolmentRow

        with product.house.db.reading() as session:
            row = session.exec(select(EnrolmentRow).where(EnrolmentRow.external_userid == "wm_taken_out")).one()
        client = with_sop.signed_in(Role.OPERATOR)
        assert with_sop.write(client, f"/enrolments/{row.id}/stop").status_code == 204
        assert "周敏在控制台停止" in with_sop.read(client, f"/enrolments/{row.id}")
        assert with_sop.write(client, f"/enrolments/{row.id}/stop").status_code == 409

    def test_todos_of_others_are_not_there(self, with_sop: ConsoleHouse) -> None:
        path = "/todos"
        assert "张三" in text_of(with_sop.read(with_sop.signed_in(), path))
        assert "加好友后的第一句" in with_sop.read(with_sop.signed_in(Role.STAFF), path)
        assert "张三" not in text_of(with_sop.read(with_sop.as_member("LiNa"), path))

    @pytest.mark.parametrize(
        ("when", "said"),
        [
            (When(kind="at_once"), "马上"),
            (When(kind="delay", minutes=90), "90 分钟后"),
            (When(kind="delay", minutes=120), "2 小时后"),
            (When(kind="delay", minutes=2880), "2 天后"),
            (When(kind="next_workday", at="10:00"), "下一个工作日 10:00"),
        ],
    )
    def test_when_a_step_comes_is_said_in_words(self, when: When, said: str) -> None:
        assert spoken_when(when) == said


class TestCorpsAndGuide:
    def test_the_doctor_works_in_the_background_and_the_guide_follows(self, console: ConsoleHouse) -> None:
        client = console.signed_in()
        assert "上线向导" in console.read(client, "/corps")
        asked = console.write(client, "/corps/checkup").get_data(as_text=True)
        assert 'hx-trigger="every 2s"' in asked
        assert console.write(client, "/corps/checkup").status_code == 409
        console.product.work()
        done = console.read(client, "/corps/checkup")
        assert "every 2s" not in done
        assert "应用 main 凭证" in done
        assert "怎么修：" in done
        guide = text_of(console.read(client, "/guide"))
        assert "http://127.0.0.1:8700/callback/main" in guide
        assert "Secret 有效，已取得凭证" in guide
        assert "企业微信没有提供查询接口" in guide

    def test_a_doctor_who_does_not_start_is_told(self, console: ConsoleHouse) -> None:
        client = console.signed_in()
        console.product.clock.advance(minutes=3)
        console.write(client, "/corps/checkup")
        console.product.clock.advance(seconds=20)
        assert "可能没有运行" in console.read(client, "/corps/checkup")
        console.product.work()

    def test_the_first_sync_can_be_asked_for(self, console: ConsoleHouse) -> None:
        client = console.signed_in()
        assert console.write(client, "/guide/sync").status_code == 204
        assert "正在同步" in console.read(client, "/guide/sync")
        console.product.work()
        page = console.read(client, "/guide/sync")
        assert "正在同步" not in page
        assert "部门与成员" in page
        assert "孙浩开始了全量同步" in console.read(client, "/audit?act=sync.asked")


class TestRecords:
    def test_the_log_can_be_narrowed_to_a_person_and_a_day(self, console: ConsoleHouse) -> None:
        client = console.signed_in()
        assert "演示环境" in console.read(client, "/audit?actor=demo")
        assert "没有符合条件的记录" in console.read(client, "/audit?actor=nobody")
        assert "没有符合条件的记录" in console.read(client, "/audit?until=2020-01-01")
        assert "演示环境" in console.read(client, "/audit?since=2026-11-01&until=nonsense&actor=demo")

    def test_every_act_in_the_source_has_its_sentence(self) -> None:
        used = {act for source in sources() for act in re.findall(r'\bact="([a-z_.]+)"', source.text)}
        assert len(used) >= 5
        assert used - set(audit_words.ACTS) == set()

    @pytest.mark.parametrize("act", sorted(audit_words.ACTS))
    def test_a_sentence_reads_even_when_its_data_is_missing(self, act: str) -> None:
        from datetime import UTC, datetime

        entry = AuditEntry(
            id=1,
            actor="ww_home/zhang",
            act=act,
            object_kind="staff",
            object_id="li",
            at=datetime(2026, 1, 1, tzinfo=UTC),
            data={},
        )
        told = audit_words.tell(entry, {"zhang": "张三", "li": "李四"})
        assert told.text
        assert "{" not in told.text + told.detail

    def test_settings_say_where_they_come_from_and_keep_secrets(
        self, console: ConsoleHouse, monkeypatch, tmp_path
    ) -> None:
        file = tmp_path / "config.yaml"
        file.write_text("server: {port: 8700}\n", "utf-8")
        monkeypatch.setenv("SCRM_CONFIG_FILE", str(file))
        monkeypatch.setenv("SCRM_SOP__TICK_SECONDS", "5")
        page = console.read(console.signed_in(), "/settings")
        rows = {
            key: text_of(row)
            for row in page.split("<tr>")
            for key in re.findall(r"<code>([a-z_]+\.[a-z_]+)</code>", row)
        }
        assert "配置文件" in rows["server.port"]
        assert "环境变量 SCRM_SOP__TICK_SECONDS" in rows["sop.tick_seconds"]
        assert "默认值" in rows["work.lease_seconds"]
        assert "租约时长" in rows["work.lease_seconds"]
        settings = console.product.house.settings
        for secret in (settings.secret_key, *(one.secret for one in settings.app_secrets.values())):
            assert secret is None or secret.get_secret_value() not in page
        assert "周一至周五" in page

    def test_workdays_in_words(self) -> None:
        assert spoken_workdays(WorktimePart(workdays=(1, 2, 3, 4, 5, 6))) == "周一至周六"
        assert spoken_workdays(WorktimePart(workdays=(6, 7))) == "周六、周日"

    def test_the_first_admin_is_named_in_the_log(self, console: ConsoleHouse) -> None:
        house = console.product.house
        with house.db.unit() as uow:
            audit.record(
                uow,
                corp=console.product.corp,
                actor="@admin",
                act="admin.signed_in",
                object_kind="console",
                object_id="",
            )
            uow.commit()
        with house.db.reading() as session:
            entries, _ = audit.page(session, console.product.corp, AuditFilter(act="admin.signed_in"))
        assert audit_words.tell(entries[0], {}).text == "系统管理员用密码登录了控制台"


class TestReading:
    def test_texts_and_numbers_are_cleaned_and_judged(self) -> None:
        reading = Reading({"name": "  张三 ", "empty": " ", "long": "字" * 11, "number": "7", "odd": "x"})
        assert reading.text("name", "名称") == "张三"
        assert reading.whole("number", "天数", least=1, most=9) == 7
        assert reading.is_good
        reading.text("empty", "名称")
        reading.text("long", "说明", most=10)
        reading.whole("odd", "天数", least=1, most=9)
        assert reading.faults == {
            "empty": "请填写名称", "long": "说明最多 10 个字，现在是 11 个", "odd": "天数应为 1 到 9 的整数"
        }  # fmt: skip
        assert reading.text("missing", "备注", required=False) == ""
