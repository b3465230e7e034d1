"""Every route of the customer side as every role: the right answer, and nothing of what one may not see."""

import re

from bot.console.views import PERMISSION_OF
from crm_core.ids import StaffUserId
from crm_core.roles import Role, grant_of
from tests.console_house import ADMIN, OPERATOR, STAFF, SUPERVISOR, Console

PEOPLE = {Role.ADMIN: ADMIN, Role.OPERATOR: OPERATOR, Role.SUPERVISOR: SUPERVISOR, Role.STAFF: STAFF,
          Role.DEALER_ADMIN: "wangwu"}  # fmt: skip
OWN_PAGES = (
    "customers", "groups", "tags", "live-codes", "welcome", "tasks", "lists", "search",
)  # fmt: skip
WAYS_OUT = {200, 204, 302, 400, 404, 405, 409, 422}


def filled(console: Console, rule: str) -> str:
    """A path of a rule: things that exist and are out of sight of plain staff."""
    names = {
        "external_userid": console.customer("徐工"),
        "way_id": "1",
        "task_id": "1",
        "chat": "wr_nobody",
        "userid": "LiNa",
        "key": "customers",
        "saved_id": "999",
        "what": "tags",
        "kind": "svg",
        "merge_id": "999",
        "rule_id": "999",
        "tag_id": "et_nothing",
        "script_id": "1",
    }
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda part: names[part.group(1)], rule)


def test_each_role_gets_what_its_permissions_say(console: Console) -> None:
    rules = [
        (rule.endpoint, rule.rule, method)
        for rule in console.app.url_map.iter_rules()
        if rule.endpoint in PERMISSION_OF and rule.rule.split("/")[2] in OWN_PAGES
        for method in rule.methods or ()
        if method in ("GET", "POST")
    ]
    assert len(rules) > 35
    with console.product.house.db.reading() as session:
        grants = {role: grant_of(session, console.product.corp, StaffUserId(who)) for role, who in PEOPLE.items()}
    wrong = []
    for role, who in PEOPLE.items():
        client, grant = console.client(who), grants[role]
        token = console.token(client)
        for endpoint, rule, method in rules:
            if "erase" in rule:
                continue  # would change what the others see; has tests of its own
            allowed = grant.allows(PERMISSION_OF[endpoint])
            answer = client.open(filled(console, rule), method=method, headers=token)
            if (answer.status_code == 403) == allowed or (allowed and answer.status_code not in WAYS_OUT):
                wrong.append((role.value, method, rule, answer.status_code))
    assert wrong == []


def test_plain_staff_find_nobody_elses_customer_by_address(console: Console) -> None:
    client, other = console.client(STAFF), console.customer("徐工")
    token = console.token(client)
    for rule in console.app.url_map.iter_rules():
        if "<external_userid>" not in rule.rule or not rule.endpoint.startswith("console."):
            continue
        for method in {"GET", "POST"} & set(rule.methods or ()):
            answer = client.open(filled(console, rule.rule), method=method, headers=token)
            assert answer.status_code in (403, 404), rule.rule
            assert "徐工" not in answer.get_data(as_text=True)
    assert other not in client.get("/console/customers").get_data(as_text=True)


def test_strangers_are_sent_away_and_forged_writes_refused(console: Console) -> None:
    stranger, client = console.app.test_client(), console.client(ADMIN)
    for rule in console.app.url_map.iter_rules():
        if rule.endpoint not in PERMISSION_OF or rule.rule.split("/")[2] not in OWN_PAGES:
            continue
        path = filled(console, rule.rule)
        if "GET" in (rule.methods or ()):
            assert stranger.get(path).status_code == 302, path
        if "POST" in (rule.methods or ()):
            assert client.post(path).status_code == 400, path
