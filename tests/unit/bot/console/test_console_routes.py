"""Every route of the console × every role: the answer follows from the permissions, and from nothing else."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from bot.console.views import PERMISSION_OF
from bot.console.web import GUESSES_A_MINUTE, OPEN_VIEWS, VIEWS_OF_ALL
from crm_core.roles import ROLE_PERMISSIONS, Role
from sidebar.surface import SAFE_METHODS
from tests.console_system_house import ConsoleHouse

# What stands for each kind of argument: nothing that is there, so that "not found" is the most a right may bring.
STAND_INS = {"int": "987654321", "default": "nothing-here", "string": "nothing-here", "path": "nothing/here"}
ANSWERS_OF_A_RIGHT = {200, 204, 302, 400, 404, 409, 422}


@pytest.fixture(scope="module")
def console(shared_console: ConsoleHouse) -> ConsoleHouse:
    return shared_console


def guarded(console: ConsoleHouse) -> Iterator[tuple[Rule, str, str]]:
    """Each (rule, method, permission) of the console's url map."""
    for rule in console.app.url_map.iter_rules():
        permission = PERMISSION_OF.get(rule.endpoint)
        if permission is not None:
            yield from ((rule, method, permission) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))


def path_of(rule: Rule) -> str:
    kinds = {name: type(converter).__name__ for name, converter in rule._converters.items()}
    values = {name: STAND_INS["int" if "Integer" in kind else "string"] for name, kind in kinds.items()}
    built = rule.build(values, append_unknown=False)
    assert built is not None, rule
    return built[1]


def ask(console: ConsoleHouse, client: FlaskClient, path: str, method: str, *, with_token: bool = True) -> int:
    headers = {"X-CSRFToken": console.token(client)} if with_token and method not in SAFE_METHODS else {}
    return client.open(path, method=method, headers=headers).status_code


@pytest.mark.parametrize("role", list(Role))
def test_a_role_reaches_what_its_permissions_say_and_nothing_else(console: ConsoleHouse, role: Role) -> None:
    client, wrong, walked = console.signed_in(role), [], 0
    for rule, method, permission in guarded(console):
        status = ask(console, client, path_of(rule), method)
        right = permission in ROLE_PERMISSIONS[role]
        walked += 1
        if (status == 403) is right or (right and status not in ANSWERS_OF_A_RIGHT):
            wrong.append((method, rule.rule, permission, status))
    assert wrong == []
    assert walked >= 25


def test_strangers_are_sent_to_sign_in(console: ConsoleHouse) -> None:
    client, wrong = console.app.test_client(), []
    for rule, method, _ in guarded(console):
        status = ask(console, client, path_of(rule), method)
        if status != (302 if method == "GET" else 401):
            wrong.append((method, rule.rule, status))
    assert wrong == []
    assert "/console/sign-in?to=" in client.get("/console/settings").headers["Location"]


def test_no_write_without_its_token(console: ConsoleHouse) -> None:
    client, wrong, walked = console.signed_in(Role.ADMIN), [], 0
    for rule in console.app.url_map.iter_rules():
        if rule.endpoint.startswith("console."):
            for method in (rule.methods or set()) - SAFE_METHODS:
                walked += 1
                if (status := ask(console, client, path_of(rule), method, with_token=False)) != 400:
                    wrong.append((method, rule.rule, status))
    assert wrong == []
    assert walked >= 12


def test_every_view_asks_for_a_permission_or_is_open(console: ConsoleHouse) -> None:
    open_views = {f"console.{name}" for name in OPEN_VIEWS | VIEWS_OF_ALL}
    found = {rule.endpoint for rule in console.app.url_map.iter_rules() if rule.endpoint.startswith("console.")}
    assert found == set(PERMISSION_OF) | open_views


def test_every_entry_of_the_navigation_leads_somewhere_its_reader_may_go(console: ConsoleHouse) -> None:
    from bot.console.navigation import SECTIONS

    views = console.app.url_map.bind("")
    for section in SECTIONS:
        for place in section.places:
            endpoint, _ = views.match(f"/console{place.path}", method="GET")
            assert PERMISSION_OF[endpoint] == place.permission, place.path


def test_passwords_can_only_be_guessed_slowly(console: ConsoleHouse) -> None:
    client = console.app.test_client()
    form = {"csrf_token": console.token(client), "password": "guess"}
    said = [client.post("/console/sign-in", data=form).status_code for _ in range(GUESSES_A_MINUTE + 1)]
    assert said == [400] * GUESSES_A_MINUTE + [429]


def test_a_member_who_left_is_shut_out(console: ConsoleHouse) -> None:
    client = console.as_member("nobody-we-know")
    assert client.get("/console/").status_code == 200  # not synced yet counts as active, as plain staff
    assert client.get("/console/settings").status_code == 403
    left = console.as_member("ma-liang")
    with console.product.house.db.unit() as uow:
        from crm_core import staff
        from crm_core.ids import StaffUserId
        from crm_core.ports import StaffFacts

        facts = StaffFacts(userid=StaffUserId("ma-liang"), name="马亮", status=2)
        staff.apply_staff(uow, console.product.corp, facts)
        uow.commit()
    assert left.get("/console/").status_code == 302
