"""Tracked links: made when something is sent, found when somebody opens one, revoked when it must stop working."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from crm_core import audit
from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid, NotFound
from crm_core.ids import AppKey, CorpId
from materials import material_lists
from materials.material_model import Material
from materials.radar_model import CARD, MATERIAL, NO_PAGE_KINDS, TOKEN, LinkTarget, RadarLink, check_channel, new_token
from materials.radar_tables import RadarLinkRow, RadarSendRow
from materials.sending import LinkOf

GONE = "内容不存在或已失效，请联系给您发送的顾问重新发送"


def link_for(uow: UnitOfWork, corp: CorpId, app: AppKey, target: LinkTarget, *, lasts: timedelta) -> RadarLink:
    """The living link for a target, made if there is none; asking again lets it last anew.

    Raises: NotFound (no such material), InputInvalid (it is expired, or text, which has no page of its own).
    """
    _check(uow, corp, target)
    uow.lock(f"radar_links:{corp}:{target}")
    row = _living(uow.session, corp, target)
    if row is None:
        row = RadarLinkRow(
            corp_id=corp,
            app_key=app,
            token=new_token(),
            subject=target.subject,
            material_id=target.material_id,
            staff_userid=target.staff,
            external_userid=target.external_user,
            chat_id=target.chat,
            channel=check_channel(target.channel),
            created_at=uow.now(),
        )
    row.expires_at = None if target.subject == CARD else uow.now() + lasts
    uow.session.add(row)
    uow.session.flush()
    return to_link(row)


def living(session: Session, corp: CorpId, target: LinkTarget) -> RadarLink | None:
    """The link for a target that was not revoked, if there is one."""
    row = _living(session, corp, target)
    return None if row is None else to_link(row)


def _living(session: Session, corp: CorpId, target: LinkTarget) -> RadarLinkRow | None:
    return session.exec(
        select(RadarLinkRow).where(
            RadarLinkRow.corp_id == corp,
            RadarLinkRow.subject == target.subject,
            RadarLinkRow.material_id == target.material_id,
            RadarLinkRow.staff_userid == target.staff,
            RadarLinkRow.external_userid == target.external_user,
            RadarLinkRow.chat_id == target.chat,
            RadarLinkRow.channel == check_channel(target.channel),
            col(RadarLinkRow.revoked_at).is_(None),
        )
    ).first()


def _check(uow: UnitOfWork, corp: CorpId, target: LinkTarget) -> None:
    if sum(map(bool, (target.external_user, target.chat, target.channel))) > 1:
        raise InputInvalid("一条雷达链接只能对应一位客户、一个群或一个渠道")
    if target.subject == CARD:
        return
    material = material_lists.ready_to_send(uow.session, corp, target.material_id, uow.now())
    if material.kind in NO_PAGE_KINDS:
        raise InputInvalid("文本素材没有阅读页，请直接发送文字", field="material_id")


def find(session: Session, token: str, subject: str, now: datetime) -> RadarLink:
    """The link behind a token. Raises: NotFound, in the same words for wrong, expired and revoked ones."""
    row = None
    if TOKEN.fullmatch(token):
        row = session.exec(select(RadarLinkRow).where(RadarLinkRow.token == token)).first()
    link = to_link(row) if row is not None and row.subject == subject else None
    if link is None or not link.is_open(now):
        raise NotFound(GONE)
    return link


def get(session: Session, corp: CorpId, link_id: int) -> RadarLink:
    """One link of this corp, whatever its state. Raises: NotFound."""
    row = session.get(RadarLinkRow, link_id)
    if row is None or row.corp_id != corp:
        raise NotFound("没有这条雷达链接")
    return to_link(row)


def links_of(session: Session, corp: CorpId, material_id: int, *, limit: int = 100) -> list[RadarLink]:
    """The channel links of a material, newest first; those for single customers and groups are not listed."""
    rows = session.exec(
        select(RadarLinkRow)
        .where(
            RadarLinkRow.corp_id == corp,
            RadarLinkRow.subject == MATERIAL,
            RadarLinkRow.material_id == material_id,
            RadarLinkRow.channel != "",
        )
        .order_by(col(RadarLinkRow.id).desc())
        .limit(limit)
    )
    return [to_link(row) for row in rows]


def revoke(uow: UnitOfWork, corp: CorpId, link_id: int, *, actor: str) -> RadarLink:
    """Let a link stop working from now on, with an audit row; what it recorded stays. Raises: NotFound."""
    get(uow.session, corp, link_id)
    row = uow.session.get_one(RadarLinkRow, link_id, with_for_update=True)
    if row.revoked_at is None:
        row.revoked_at, row.revoked_by = uow.now(), actor
        row.tell_at, row.pending = None, []
        uow.session.add(row)
        audit.record(uow, corp=corp, actor=actor, act="radar.revoked", object_kind="radar_link", object_id=str(link_id))
    return to_link(row)


def revoke_all(uow: UnitOfWork, corp: CorpId, material_id: int, *, actor: str) -> int:
    """Let every link of a material stop working. Answers how many did."""
    statement = (
        update(RadarLinkRow)
        .where(
            col(RadarLinkRow.corp_id) == corp,
            col(RadarLinkRow.subject) == MATERIAL,
            col(RadarLinkRow.material_id) == material_id,
            col(RadarLinkRow.revoked_at).is_(None),
        )
        .values(revoked_at=uow.now(), revoked_by=actor, tell_at=None, pending=[])
        .returning(col(RadarLinkRow.id))
    )
    gone = len(uow.session.execute(statement).all())
    if gone:
        audit.record(
            uow,
            corp=corp,
            actor=actor,
            act="radar.revoked",
            object_kind="material",
            object_id=str(material_id),
            data={"links": gone},
        )
    return gone


def record_send(uow: UnitOfWork, corp: CorpId, link_id: int, *, key: str) -> bool:
    """Count that a link was sent, once per ``key``. Answers whether it was new. Raises: NotFound."""
    link = get(uow.session, corp, link_id)
    dialect = postgresql if uow.session.get_bind().dialect.name == "postgresql" else sqlite
    statement = (
        dialect.insert(RadarSendRow)
        .values(corp_id=corp, send_key=key, link_id=link_id, material_id=link.target.material_id, sent_at=uow.now())
        .on_conflict_do_nothing(index_elements=["corp_id", "send_key"])
        .returning(col(RadarSendRow.link_id))
    )
    is_new = uow.session.execute(statement).scalar_one_or_none() is not None
    if is_new:
        uow.session.execute(
            update(RadarLinkRow).where(col(RadarLinkRow.id) == link_id).values(sends=col(RadarLinkRow.sends) + 1)
        )
    return is_new


def to_link(row: RadarLinkRow) -> RadarLink:
    """The row as others see it."""
    return RadarLink(
        id=row.id or 0,
        corp=CorpId(row.corp_id),
        app=AppKey(row.app_key),
        token=row.token,
        target=LinkTarget(
            staff=row.staff_userid,
            material_id=row.material_id,
            subject=row.subject,
            external_user=row.external_userid,
            chat=row.chat_id,
            channel=row.channel,
        ),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        sends=row.sends,
    )


def address(public_url: str, link: RadarLink) -> str:
    """Where a link lives on the web."""
    return f"{public_url}/{'c' if link.target.subject == CARD else 'v'}/{link.token}"


def tracked(
    uow: UnitOfWork, corp: CorpId, app: AppKey, target: LinkTarget, *, public_url: str, lasts: timedelta
) -> LinkOf:
    """For ``materials.sending``: where each material opens when it goes to ``target`` (its material_id is ignored)."""

    def link_of(material: Material) -> str:
        if material.kind in NO_PAGE_KINDS:
            return ""
        wanted = replace(target, subject=MATERIAL, material_id=material.id)
        return address(public_url, link_for(uow, corp, app, wanted, lasts=lasts))

    return link_of


def corp_of(session: Session, link_id: int) -> CorpId:
    """Whose link it is. Raises: NotFound."""
    row = session.get(RadarLinkRow, link_id)
    if row is None:
        raise NotFound(GONE)
    return CorpId(row.corp_id)
