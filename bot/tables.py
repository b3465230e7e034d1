"""Private storage of the front: what WeCom told us."""

from sqlalchemy import Index
from sqlmodel import Field

from crm_core.lease import WorkRow
from crm_core.tables import open_work_index


class InboxRow(WorkRow, table=True):
    """One callback as WeCom sent it, decrypted. ``created_ms`` is when it was stored.

    ``lane``: welcome (holds a welcome code, ``deadline_at`` 20 s after arrival) or default. ``event_name``: the
    event it turned out to be, "" until then.
    """

    __tablename__ = "inbox"
    __table_args__ = (open_work_index("ix_inbox_open"), Index("ix_inbox_state_finished", "state", "finished_ms"))

    app_key: str
    body: bytes = Field(repr=False)
    event_name: str = Field(default="", sa_column_kwargs={"server_default": ""})
