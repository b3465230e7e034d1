"""The parts of config.yaml about chat messages: how long they are kept, reply drafts, 微信客服."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Seconds = Annotated[float, Field(gt=0)]


class Part(BaseModel):
    """Base of the parts: frozen, unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class KfPart(Part):
    """微信客服 and the words that ask for a person."""

    threshold: float = Field(0.55, ge=0.2, le=1)
    person_words: tuple[str, ...] = ("人工", "真人", "转人工", "人工客服", "人工服务", "找客服", "转接客服")


class DraftPart(Part):
    """Reply drafts by a language model of the company's choosing (OpenAI-compatible); off by default."""

    enabled: bool = False
    base_url: str = Field("", pattern=r"^(https?://[^\s/]+(:\d+)?[^\s]*)?$")
    model: str = ""
    timeout_seconds: Seconds = 20
    most_chars: int = Field(300, ge=50, le=2000)

    @model_validator(mode="after")
    def _knows_where(self) -> Self:
        if self.enabled and not (self.base_url and self.model):
            raise ValueError("启用回复草稿需要填写 base_url 与 model")
        return self


class ChatPart(Part):
    """Chat messages: days they are kept, by kind of conversation; 0 keeps them. reply_tick_seconds: the reply watch."""

    keep_single_days: int = Field(0, ge=0)
    keep_group_days: int = Field(0, ge=0)
    keep_kf_days: int = Field(0, ge=0)
    keep_internal_days: int = Field(0, ge=0)
    reply_tick_seconds: Seconds = 30
