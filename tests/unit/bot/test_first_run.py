"""The guide's steps follow from what the doctor found and what already happened."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.doctor import Topic, check_of
from bot.first_run import Facts, GuideStep, StepState, open_steps, steps
from crm_core.checkups import Checkup
from crm_core.config import AppPart, CorpPart, ServerPart, Settings

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
MAIN = AppPart(key="main", name="客户助手", agent_id=1000002, sidebar=True)
CONTACTS = AppPart(key="contacts", kind="contacts", callback=False)
CORP = CorpPart(corp_id="ww1", name="云帆家居", contact_app="main", apps=(MAIN, CONTACTS))
SETTINGS = Settings(server=ServerPart(public_url="https://scrm.example.com:8443"), corps=(CORP,))


def report(**levels: str) -> Checkup:
    """A finished report; each topic by its name with a level, or ``ip`` for a refused address."""
    findings: list[dict[str, Any]] = []
    for topic, level in levels.items():
        app = "contacts" if topic == "DIRECTORY" else "main"
        errcode = 60020 if level == "ip" else None
        findings.append(
            {
                "check": check_of(app, Topic[topic]),
                "level": "ok" if level == "ok" else "fail",
                "says": f"{topic} {level}",
                "fix": "",
                "errcode": errcode,
            }
        )
    return Checkup(status="done", findings=tuple(findings), asked_by="x", asked_at=NOW, finished_at=NOW)


def guide(checkup: Checkup | None = None, **facts: Any) -> dict[str, GuideStep]:
    known = {"last_callback": None, "is_synced": False, "live_codes": 0, "admins": 0, "proof_files": ()}
    return {step.key: step for step in steps(SETTINGS, CORP, Facts(checkup=checkup, **(known | facts)))}


ALL_WELL = report(CREDENTIAL="ok", CALLBACK="ok", DOMAIN="ok", CONTACT="ok", DIRECTORY="ok")


def test_without_a_corp_only_the_first_step_can_be_told() -> None:
    facts = Facts(checkup=None, last_callback=None, is_synced=False, live_codes=0, admins=0, proof_files=())
    (only,) = steps(Settings(), None, facts)
    assert (only.key, only.state) == ("corp", StepState.TODO)


def test_before_the_doctor_looked_nothing_is_claimed() -> None:
    found = guide()
    assert {found[key].state for key in ("app", "callback", "domain", "ip", "contact", "directory")} == {
        StepState.UNASKED
    }
    assert found["sync"].state is StepState.TODO
    assert found["app"] in open_steps(list(found.values()))


def test_values_to_paste_are_exact() -> None:
    found = guide()
    assert ("URL", "https://scrm.example.com:8443/callback/main") in found["callback"].values
    assert ("EncodingAESKey 的环境变量", "SCRM_MAIN_AES_KEY") in found["callback"].values
    assert found["domain"].values == (("可信域名", "scrm.example.com:8443"),)
    assert found["login"].values == (("授权回调域", "scrm.example.com:8443"),)
    assert found["sidebar-main"].values == (("页面地址", "https://scrm.example.com:8443/sidebar/main/"),)


def test_a_callback_counts_only_when_wecom_has_really_sent_one() -> None:
    assert guide(ALL_WELL)["callback"].state is StepState.TODO
    assert guide(ALL_WELL, last_callback=NOW)["callback"].state is StepState.DONE
    assert guide(last_callback=NOW)["callback"].state is StepState.DONE
    assert guide(report(CALLBACK="fail"), last_callback=NOW)["callback"].state is StepState.TODO


@pytest.mark.parametrize(
    ("checkup", "state"),
    [
        (ALL_WELL, StepState.DONE),
        (report(CREDENTIAL="ok", DOMAIN="ip"), StepState.TODO),
        (report(CREDENTIAL="fail"), StepState.UNKNOWN),
    ],
)
def test_the_ip_is_judged_by_what_wecom_answered(checkup: Checkup, state: StepState) -> None:
    assert guide(checkup)["ip"].state is state


def test_a_fault_is_told_in_the_doctors_words() -> None:
    step = guide(report(CREDENTIAL="ok", CONTACT="fail"))["contact"]
    assert (step.state, step.says) == (StepState.TODO, "CONTACT fail")
    assert guide(report(CREDENTIAL="fail"))["contact"].state is StepState.UNKNOWN


def test_when_all_is_done_nothing_is_open_but_what_nobody_can_check_stays_named() -> None:
    found = guide(ALL_WELL, last_callback=NOW, is_synced=True, live_codes=3, admins=1, proof_files=("WW_verify_a.txt",))
    assert open_steps(list(found.values())) == []
    assert {key for key, step in found.items() if step.state is StepState.UNKNOWN} == {"login", "sidebar-main"}
