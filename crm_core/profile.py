"""Read model of one customer as one corp sees them (客户画像)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, func, select

from crm_core import groups, staff
from crm_core.customers import STAGES
from crm_core.errors import NotFound
from crm_core.ids import CorpId, ExternalUserId
from crm_core.tables import ContactWayRow, ExternalUserRow, FollowRow

ADD_WAYS = {
    0: "未知来源",
    1: "扫描二维码",
    2: "搜索手机号",
    3: "名片分享",
    4: "群聊",
    5: "手机通讯录",
    6: "微信联系人",
    8: "安装第三方应用",
    9: "搜索邮箱",
    10: "视频号",
    11: "日程参与人",
    12: "会议参与人",
    13: "微信好友的企业微信",
    14: "智慧硬件",
    15: "上门服务",
    16: "获客链接",
    17: "定制开发",
    18: "需求回复",
    201: "内部成员共享",
    202: "管理员分配",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowView:
    """One follow for display. source: the live code's name, else how they met."""

    staff: str
    staff_name: str
    status: str
    started_at: datetime
    ended_at: datetime | None
    ended_by: str
    remark: str
    description: str
    source: str
    mobiles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerProfile:
    """One customer for display. synced_at None: WeCom has not told us more than the id yet."""

    external_user: str
    customer_id: int
    name: str
    avatar_url: str
    kind: int
    gender: int
    corp_name: str
    position: str
    stage: str
    stage_name: str
    synced_at: datetime | None
    follows: tuple[FollowView, ...]
    group_names: tuple[str, ...]
    external_users: int

    def follow_of(self, userid: str) -> FollowView | None:
        """The follow of one staff member."""
        return next((follow for follow in self.follows if follow.staff == userid), None)


def read(session: Session, corp: CorpId, external_user: ExternalUserId) -> CustomerProfile:
    """The profile; never calls WeCom. Raises: NotFound."""
    row = session.get(ExternalUserRow, (corp, external_user))
    if row is None:
        raise NotFound("客户不存在")
    follows = session.exec(
        select(FollowRow, ContactWayRow.name)
        .join(ContactWayRow, col(ContactWayRow.id) == FollowRow.contact_way_id, isouter=True)
        .where(FollowRow.corp_id == corp, FollowRow.external_userid == external_user)
        .order_by(col(FollowRow.started_at))
    ).all()
    known = staff.names(session, corp, [follow.staff_userid for follow, _ in follows])
    same = session.exec(
        select(func.count())
        .select_from(ExternalUserRow)
        .where(ExternalUserRow.corp_id == corp, ExternalUserRow.customer_id == row.customer_id)
    ).one()
    return CustomerProfile(
        external_user=row.external_userid,
        customer_id=row.customer_id,
        name=row.name,
        avatar_url=row.avatar_url,
        kind=row.kind,
        gender=row.gender,
        corp_name=row.corp_name,
        position=row.position,
        stage=row.lifecycle_stage,
        stage_name=STAGES.get(row.lifecycle_stage, row.lifecycle_stage),
        synced_at=row.fetched_at,
        follows=tuple(_view(follow, way_name, known) for follow, way_name in follows),
        group_names=tuple(group.name for group in groups.groups_of(session, corp, external_user)),
        external_users=same,
    )


def _view(follow: FollowRow, way_name: str | None, known: dict[str, str]) -> FollowView:
    return FollowView(
        staff=follow.staff_userid,
        staff_name=known[follow.staff_userid],
        status=follow.status,
        started_at=follow.started_at,
        ended_at=follow.ended_at,
        ended_by=follow.ended_by,
        remark=follow.remark,
        description=follow.description,
        source=way_name or ADD_WAYS.get(follow.add_way, "其他来源"),
        mobiles=tuple(follow.remark_mobiles),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerHit:
    """One line of a customer search."""

    external_user: str
    name: str
    avatar_url: str
    remark: str
    stage: str
    status: str


def search(session: Session, corp: CorpId, staff_userid: str, words: str, *, limit: int = 20) -> list[CustomerHit]:
    """Customers of one staff member whose name or remark holds ``words``; the newest first when empty.

    Letters are also tried as pinyin and its initials. Walks the member's follows in index order until it has enough.
    """
    of_user = (
        col(ExternalUserRow.external_userid),
        col(ExternalUserRow.name),
        col(ExternalUserRow.avatar_url),
        col(ExternalUserRow.lifecycle_stage),
    )
    statement = (
        select(*of_user, FollowRow.remark, FollowRow.status)  # type: ignore[call-overload]
        .join(
            FollowRow,
            (col(FollowRow.corp_id) == ExternalUserRow.corp_id)
            & (col(FollowRow.external_userid) == ExternalUserRow.external_userid),
        )
        .where(FollowRow.corp_id == corp, FollowRow.staff_userid == staff_userid)
        .order_by(col(FollowRow.started_at).desc(), col(FollowRow.id).desc())
        .limit(limit)
    )
    if words:
        statement = statement.where(_says(words))
    return [
        CustomerHit(
            external_user=row.external_userid,
            name=row.name,
            avatar_url=row.avatar_url,
            remark=row.remark,
            stage=STAGES.get(row.lifecycle_stage, row.lifecycle_stage),
            status=row.status,
        )
        for row in session.connection().execute(statement)
    ]


def _says(words: str) -> ColumnElement[bool]:
    fits = [
        col(ExternalUserRow.name).icontains(words, autoescape=True),
        col(FollowRow.remark).icontains(words, autoescape=True),
    ]
    letters = words.replace(" ", "").lower()
    if letters.isascii() and letters.isalpha():
        fits += [
            col(ExternalUserRow.sounds).contains(letters, autoescape=True),
            col(FollowRow.remark_sounds).contains(letters, autoescape=True),
        ]
    return or_(*fits)
