"""The doctor's last report of each corp: asked for by a person, written finding by finding while the doctor works."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from crm_core import audit, outbox
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict
from crm_core.ids import CorpId
from crm_core.tables import DoctorReportRow

WAITING, RUNNING, DONE = "waiting", "running", "done"
JOB_KIND = "doctor.run"
PATIENCE = timedelta(minutes=2)  # a report that nobody finished may be asked for again


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """One report. findings: ``check``, ``level``, ``says``, ``fix``, ``errcode`` each, in reading order."""

    status: str
    findings: tuple[Mapping[str, Any], ...]
    asked_by: str
    asked_at: datetime
    finished_at: datetime | None

    @property
    def is_over(self) -> bool:
        """Whether the doctor has finished."""
        return self.status == DONE

    def number(self, level: str) -> int:
        """How many findings of a level: ok, warn or fail."""
        return sum(1 for one in self.findings if one["level"] == level)

    def finding(self, check: str) -> Mapping[str, Any] | None:
        """The finding of one check, if it was made."""
        return next((one for one in self.findings if one["check"] == check), None)


def ask(uow: UnitOfWork, corp: CorpId, *, actor: str) -> None:
    """Have the doctor look at a corp, with an audit row. Raises: Conflict (the doctor is at it)."""
    row = uow.session.get(DoctorReportRow, corp, with_for_update=True)
    if row is not None and row.status != DONE and uow.now() - row.asked_at < PATIENCE:
        raise Conflict("诊断正在进行，请稍等")
    row = row or DoctorReportRow(corp_id=corp, asked_at=uow.now())
    row.status, row.asked_by, row.asked_at, row.finished_at = WAITING, actor, uow.now(), None
    row.findings = []
    uow.session.add(row)
    key = f"{JOB_KIND}:{corp}:{row.asked_at.isoformat()}"
    outbox.add_job(uow, JOB_KIND, dedupe_key=key, payload={"corp": corp}, corp=corp)
    audit.record(uow, corp=corp, actor=actor, act="doctor.asked", object_kind="corp", object_id=corp)


def begin(uow: UnitOfWork, corp: CorpId) -> None:
    """The doctor starts over."""
    row = uow.session.get(DoctorReportRow, corp) or DoctorReportRow(corp_id=corp, asked_at=uow.now())
    row.status, row.findings, row.finished_at = RUNNING, [], None
    uow.session.add(row)


def note(uow: UnitOfWork, corp: CorpId, finding: Mapping[str, Any]) -> None:
    """One more finding."""
    row = uow.session.get_one(DoctorReportRow, corp)
    row.findings = [*row.findings, dict(finding)]
    uow.session.add(row)


def finish(uow: UnitOfWork, corp: CorpId) -> None:
    """The doctor is through."""
    row = uow.session.get_one(DoctorReportRow, corp)
    row.status, row.finished_at = DONE, uow.now()
    uow.session.add(row)


def last(session: Session, corp: CorpId) -> Checkup | None:
    """The last report of a corp, finished or not."""
    row = session.get(DoctorReportRow, corp)
    if row is None:
        return None
    return Checkup(**row.model_dump(exclude={"corp_id", "findings"}), findings=tuple(row.findings))
