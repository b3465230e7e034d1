"""The parts of config.yaml about chats: archive (会话内容存档), messages, customer service, reply drafts."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ArchivePart(BaseModel):
    """How one corp's archive is pulled. Its secret and private keys come from the environment or a folder.

    app: the key of the app of kind ``archive``. library: path of the vendor's libWeWorkFinanceSdk_C.so.
    keys_folder: private keys as ``<version>.pem``. proxy: ``http://host:port`` or ``socks5://…``.
    live_hours: younger messages may cause notices. source local_wecom: the demo without a C compiler.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    app: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    library: str = ""
    source: Literal["library", "local_wecom"] = "library"
    keys_folder: str = ""
    proxy: str = ""
    page: int = Field(1000, ge=1, le=1000)
    tick_seconds: Annotated[float, Field(gt=0)] = 60
    timeout_seconds: int = Field(30, ge=1, le=300)
    memory_mb: int = Field(1024, ge=0, le=65_536)
    processes: int = Field(2, ge=1, le=8)
    live_hours: float = Field(12, gt=0)
    media: bool = True
    media_most_mb: int = Field(200, ge=1)
    media_keep_days: int = Field(0, ge=0)


class DraftPart(BaseModel):
    """Reply drafts by a language model of the company's choosing (OpenAI-compatible); off by default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = False
    base_url: str = Field("", pattern=r"^(https?://[^\s/]+(:\d+)?[^\s]*)?$")
    model: str = ""
    timeout_seconds: Annotated[float, Field(gt=0)] = 20
    most_chars: int = Field(300, ge=50, le=2000)

    @model_validator(mode="after")
    def _knows_where(self) -> Self:
        if self.enabled and not (self.base_url and self.model):
            raise ValueError("启用回复草稿需要填写 base_url 与 model")
        return self


class ChatPart(BaseModel):
    """Chat messages: days they are kept, by kind of conversation; 0 keeps them. reply_tick_seconds: the reply watch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep_single_days: int = Field(0, ge=0)
    keep_group_days: int = Field(0, ge=0)
    keep_kf_days: int = Field(0, ge=0)
    keep_internal_days: int = Field(0, ge=0)
    reply_tick_seconds: Annotated[float, Field(gt=0)] = 30


class KfPart(BaseModel):
    """微信客服 and the words that ask for a person."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float = Field(0.55, ge=0.2, le=1)
    person_words: tuple[str, ...] = ("人工", "真人", "转人工", "人工客服", "人工服务", "找客服", "转接客服")
