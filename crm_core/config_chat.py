"""The parts of config.yaml about chat messages, reply drafts and 微信客服."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Days = Annotated[int, Field(ge=0)]


class ChatPart(BaseModel):
    """Days that messages are kept, by kind of conversation, 0 for ever; how often the reply watch looks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep_single_days: Days = 0
    keep_group_days: Days = 0
    keep_kf_days: Days = 0
    keep_internal_days: Days = 0
    reply_tick_seconds: Annotated[float, Field(gt=0)] = 30


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


class KfPart(BaseModel):
    """微信客服 and the words that ask for a person."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float = Field(0.55, ge=0.2, le=1)
    person_words: tuple[str, ...] = ("人工", "真人", "转人工", "人工客服", "人工服务", "找客服", "转接客服")
