"""The part of config.yaml about chat messages."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Days = Annotated[int, Field(ge=0)]


class ChatPart(BaseModel):
    """Days that messages are kept, by kind of conversation, 0 for ever; how often the reply watch looks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep_single_days: Days = 0
    keep_group_days: Days = 0
    keep_kf_days: Days = 0
    keep_internal_days: Days = 0
    reply_tick_seconds: Annotated[float, Field(gt=0)] = 30
