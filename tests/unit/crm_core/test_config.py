"""Settings: config.yaml, the environment, and every fault at once."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from crm_core.config import Settings, load_settings, secret_name
from crm_core.errors import ConfigInvalid
from crm_core.ids import AppKey, CorpId

KEY = "k" * 32
SECRETS = {
    "SCRM_SECRET_KEY": KEY,
    "SCRM_MAIN_SECRET": "s3cret",
    "SCRM_MAIN_TOKEN": "token",
    "SCRM_MAIN_AES_KEY": "a" * 43,
}
CORP: dict[str, Any] = {"corp_id": "ww1", "contact_app": "main", "apps": [{"key": "main", "agent_id": 1000002}]}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Only the secrets of one app."""
    import os

    for name in [name for name in os.environ if name.startswith("SCRM_")]:
        monkeypatch.delenv(name)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def write(tmp_path: Path, environment: pytest.MonkeyPatch) -> Any:
    def write(content: Any) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), "utf-8")
        return path

    return write


def faults(path: Path | None) -> list[str]:
    with pytest.raises(ConfigInvalid) as caught:
        load_settings(path)
    return caught.value.faults


def told(path: Path | None, *places: str) -> None:
    """Exactly one fault for each of these places."""
    found = sorted(re.split("[：」]", fault)[0] for fault in faults(path))
    assert found == sorted(places)


def test_the_shipped_configuration_is_valid_and_equal_to_the_defaults(environment: pytest.MonkeyPatch) -> None:
    shipped = load_settings(Path(__file__).parents[3] / "config.yaml")
    assert shipped == load_settings(None)
    assert shipped.server.port == 8700


def test_a_corp_with_its_secrets(write: Any) -> None:
    settings = load_settings(write({"corps": [CORP]}))
    assert settings.app_secrets["main"].secret.get_secret_value() == "s3cret"  # type: ignore[union-attr]
    assert settings.corp(CorpId("ww1")) is settings.corps[0]
    assert settings.corp(CorpId("ww2")) is None
    assert settings.app(AppKey("main")) == (settings.corps[0], settings.corps[0].apps[0])
    assert settings.app(AppKey("other")) is None
    assert "s3cret" not in repr(settings)
    assert KEY not in repr(settings)


def test_settings_are_frozen(write: Any) -> None:
    settings = load_settings(write({"corps": [CORP]}))
    with pytest.raises(ValidationError):
        settings.server = settings.server  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.server.port = 1  # type: ignore[misc]


def test_the_environment_wins_key_by_key(write: Any, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SCRM_SERVER__PORT", "8000")
    environment.setenv("SCRM_DATABASE__URL", "postgresql+psycopg://u@h/d")
    settings = load_settings(write({"server": {"port": 9000, "threads": 4}}))
    assert (settings.server.port, settings.server.threads) == (8000, 4)
    assert settings.database.url == "postgresql+psycopg://u@h/d"


def test_a_wrong_value_from_the_environment_is_named_too(write: Any, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SCRM_SERVER__PORT", "a lot")
    told(write({}), "server.port")


@pytest.mark.parametrize("content", ["", "# nothing yet\n", "{}"])
def test_an_empty_file_means_the_defaults(write: Any, content: str) -> None:
    assert load_settings(write(content)) == load_settings(None)


def test_every_fault_is_listed_at_once(write: Any, environment: pytest.MonkeyPatch) -> None:
    """Wrong values, unknown keys, secrets in the file and missing secrets, in one go."""
    environment.delenv("SCRM_MAIN_TOKEN")
    environment.setenv("SCRM_SECRET_KEY", "short")
    path = write(
        {
            "server": {"port": 0, "prot": 1},
            "database": {"url": "mysql://x"},
            "work": {"lease_seconds": 0},
            "worktime": {"time_zone": "Mars/Base", "quiet_from": "9"},
            "nonsense": True,
            "secret_key": "in the file",
            "corps": [CORP, {"corp_id": "", "apps": []}],
        }
    )
    told(
        path, "server.port", "server.prot", "database.url", "work.lease_seconds", "worktime.time_zone",
        "worktime.quiet_from", "nonsense", "secret_key", "corps.1.corp_id", "corps.1.contact_app", "corps.1.apps",
        "SCRM_SECRET_KEY", "SCRM_MAIN_TOKEN",
    )  # fmt: skip


def test_missing_secrets_are_named_by_their_variables(write: Any, environment: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        environment.delenv(name)
    corp = CORP | {
        "apps": [{"key": "main"}, {"key": "contacts", "kind": "contacts", "callback": False},
                 {"key": "ai", "kind": "ai_bot"}]
    }  # fmt: skip
    told(write({"corps": [corp]}), *SECRETS, "SCRM_CONTACTS_SECRET", "SCRM_AI_TOKEN", "SCRM_AI_AES_KEY")


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("SCRM_SECRET_KEY", ["k" * 31], ["k" * 32, "k" * 33]),
        ("SCRM_MAIN_TOKEN", ["t" * 33, "to-ken", "t\n"], ["t", "t" * 32]),
        ("SCRM_MAIN_AES_KEY", ["a" * 42, "a" * 44, "a" * 42 + "="], ["a" * 43]),
    ],
)
def test_the_form_of_secrets(
    write: Any, environment: pytest.MonkeyPatch, name: str, bad: list[str], good: list[str]
) -> None:
    path = write({"corps": [CORP]})
    for value in bad:
        environment.setenv(name, value)
        told(path, name)
    for value in good:
        environment.setenv(name, value)
        load_settings(path)


@pytest.mark.parametrize("part", ["secret_key", "app_secrets"])
def test_secrets_in_the_file_are_refused(write: Any, part: str) -> None:
    told(write({part: {"main": {"secret": "x"}}}), part)


def test_doubles_are_refused(write: Any) -> None:
    again = CORP | {"apps": [{"key": "main"}, {"key": "main"}]}
    assert [fault[:4] for fault in faults(write({"corps": [again, CORP]}))] == ["应用 k", "企业「w"]


def test_the_contact_app_is_one_of_the_apps(write: Any) -> None:
    told(write({"corps": [CORP | {"contact_app": "other"}]}), "corps.0")


@pytest.mark.parametrize("content", ["- a\n- b", "text", "7"])
def test_a_file_that_is_no_mapping(write: Any, content: str) -> None:
    [fault] = faults(write(content))
    assert "最外层" in fault


def test_a_file_that_is_not_yaml_or_not_there(write: Any, tmp_path: Path) -> None:
    [fault] = faults(write("a: [1"))
    assert "YAML" in fault
    [fault] = faults(tmp_path / "missing.yaml")
    assert "读不到" in fault


@pytest.mark.parametrize(
    "corps", ["ww1", {"a": 1}, ["ww1"], [{"apps": "main"}], [{"apps": ["main"]}], [{"apps": [{"key": 7}]}]]
)
def test_odd_shapes_of_corps_are_faults_not_crashes(write: Any, corps: Any) -> None:
    assert faults(write({"corps": corps}))


@pytest.mark.parametrize(
    ("worktime", "place"),
    [
        ({"quiet_from": "25:00"}, "worktime.quiet_from"),
        ({"quiet_to": "08:60"}, "worktime.quiet_to"),
        ({"holidays": ["2026-02-30"]}, "worktime.holidays"),
        ({"extra_workdays": ["tomorrow"]}, "worktime.extra_workdays"),
        ({"workdays": [1, 0]}, "worktime.workdays.1"),
        ({"workdays": [1, 8]}, "worktime.workdays.1"),
        ({"workdays": []}, "worktime.workdays"),
        ({"time_zone": "Asia"}, "worktime.time_zone"),
        ({"time_zone": "../etc"}, "worktime.time_zone"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused_at_boot(write: Any, worktime: dict[str, Any], place: str) -> None:
    told(write({"worktime": worktime}), place)


@pytest.mark.parametrize(("part", "name"), [("server", "public_url"), ("wecom", "api_base"), ("wecom", "login_base")])
def test_addresses_lose_their_last_slash_and_must_be_addresses(write: Any, part: str, name: str) -> None:
    settings = load_settings(write({part: {name: "https://scrm.example.com:8443/"}}))
    assert getattr(getattr(settings, part), name) == "https://scrm.example.com:8443"
    for wrong in ("scrm.example.com", "ftp://x", "https://", "https://a b"):
        told(write({part: {name: wrong}}), f"{part}.{name}")


@pytest.mark.parametrize(
    ("part", "name", "least", "most"),
    [("server", "port", 1, 65535), ("server", "web_workers", 1, 64), ("server", "trusted_proxies", 0, 8),
     ("database", "pool_size", 2, 200), ("work", "max_attempts", 1, 50), ("sop", "batch", 1, 10_000),
     ("wecom", "duplicate_check_seconds", 0, 14_400)],
)  # fmt: skip
def test_numbers_within_their_bounds(write: Any, part: str, name: str, least: int, most: int) -> None:
    for number in (least, most):
        assert getattr(getattr(load_settings(write({part: {name: number}})), part), name) == number
    for number in (least - 1, most + 1):
        told(write({part: {name: number}}), f"{part}.{name}")


def test_the_name_of_a_secret() -> None:
    assert secret_name("main", "aes_key") == "SCRM_MAIN_AES_KEY"


def test_settings_can_be_made_without_files(environment: pytest.MonkeyPatch) -> None:
    assert Settings(server={"port": 9}).server.port == 9  # type: ignore[arg-type]
