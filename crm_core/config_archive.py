"""The part of config.yaml about one corp's chat archive (会话内容存档)."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


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
