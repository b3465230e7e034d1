"""The parts of config.yaml about chat messages and about reply drafts."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


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
