"""Read model of the recommendation card: what the customer said, what answers it, and why."""

from dataclasses import dataclass, replace

from sqlmodel import Session

from crm_core import custom_fields, profile
from crm_core.chat.model import ConversationKind, StoredMessage
from crm_core.chat.store import ChatStore
from crm_core.customers import STAGES
from crm_core.errors import NotFound
from crm_core.ids import CorpId, ExternalUserId, StaffUserId
from crm_core.ports import TextCipher
from materials import customer_turns, favourites, lessons
from materials.recommending import About, Answer, Recommender, Suggestion
from sidebar.desk import Desk
from sidebar.drafting import DraftWriter
from sidebar.script_panel import Audience, Entry, script_entry
from sidebar.sending import part_of_material
from tagging import service as tagging

MOST_WORD = 12
KF_NAME = "微信客服"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggesting:
    """What recommendation in the sidebar is built from."""

    recommender: Recommender
    chats: ChatStore
    cipher: TextCipher
    drafts: DraftWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A message of the customer as the card quotes it."""

    text: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """An entry with its reasons. thumb: the visitor's own verdict on it for this message, "" for none."""

    entry: Entry
    reasons: tuple[str, ...]
    thumb: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestPanel:
    """The card. asked: position of the message it answers; is_final: meaning has been asked too."""

    base: str
    asked: int
    where: str
    quotes: tuple[Quote, ...]
    entries: tuple[Suggested, ...]
    is_final: bool
    can_draft: bool


def suggest_panel(
    desk: Desk, suggesting: Suggesting, audience: Audience, external_user: ExternalUserId, *, words_only: bool
) -> SuggestPanel | None:
    """The card for a customer, None while nothing of theirs waits for an answer."""
    waiting = customer_turns.waiting(desk.session, suggesting.chats, desk.corp, desk.staff, external_user)
    if not waiting:
        return None
    answer = recommend(desk, suggesting, external_user, waiting, words_only=words_only)
    asked = waiting[-1].position
    ids = {one.script.id: thumb_key(asked, one.script.id) for one in answer.suggestions if one.script is not None}
    thumbs = lessons.thumbs_of(desk.session, desk.corp, desk.staff, list(ids.values()))
    marked = favourites.marked(desk.session, desk.corp, desk.staff)
    return SuggestPanel(
        base=f"{audience.base}/suggest",
        asked=asked,
        where=KF_NAME if waiting[-1].message.conversation.kind is ConversationKind.KF else "",
        quotes=tuple(Quote(text=one.message.text, at=desk.spoken(one.message.sent_at)) for one in waiting),
        entries=tuple(
            Suggested(
                entry=_entry(one, audience, marked),
                reasons=one.reasons,
                thumb=thumbs.get(ids[one.script.id], "") if one.script is not None else "",
            )
            for one in answer.suggestions
        ),
        is_final=answer.is_final,
        can_draft=suggesting.drafts.is_on and any(one.script is not None for one in answer.suggestions),
    )


def recommend(
    desk: Desk,
    suggesting: Suggesting,
    external_user: ExternalUserId,
    waiting: list[StoredMessage],
    *,
    words_only: bool = False,
) -> Answer:
    """What answers these messages of a customer, as far as the visitor sees it."""
    return suggesting.recommender.answer(
        desk.session,
        desk.corp,
        [one.message.text for one in waiting],
        viewer=desk.staff,
        about=about(desk, external_user),
        now=desk.now,
        words_only=words_only,
    )


def about(desk: Desk, external_user: ExternalUserId) -> About:
    """Stage, tags and own fields (products among them) as words that may tip the scales."""
    read = profile.read(desk.session, desk.corp, external_user)
    words = [(f"阶段：{STAGES[read.stage]}", STAGES[read.stage])] if read.stage in STAGES else []
    words += [(f"标签：{tag.name}", tag.name) for tag in tagging.tags_of(desk.session, desk.corp, external_user)]
    for value in custom_fields.values_of(desk.session, desk.corp, external_user):
        text = value.said.strip()
        if 1 < len(text) <= MOST_WORD and not text.isdigit():
            words.append((f"{value.field.name}：{text}", text))
    return About(words=tuple(dict.fromkeys(words)))


def thumb_key(asked: int, script_id: int) -> str:
    """One verdict per member, message and script."""
    return f"thumb:{asked}:{script_id}"


def message_at(
    session: Session, store: ChatStore, corp: CorpId, staff: StaffUserId, external_user: ExternalUserId, asked: int
) -> StoredMessage:
    """The customer's message at a position, if the member may read it. Raises: NotFound."""
    for stored in store.read(session, corp, asked, asked):
        where = stored.message.conversation
        if where.external_user == external_user and where.staff in (None, staff):
            return stored
    raise NotFound("没有这条消息，可能已被删除")


def _entry(one: Suggestion, audience: Audience, marked: set[int]) -> Entry:
    if one.script is not None:
        return script_entry(one.script, audience, marked, (), {})
    material = one.material
    if material is None:
        raise NotFound("没有这个素材，可能已被删除或过期")
    entry = Entry(
        kind="material",
        id=material.id,
        title=material.title,
        note=material.kind_name,
        parts=(part_of_material(material),),
        can_act=audience.can_act,
        said=material.summary,
    )
    return replace(entry, has_page=material.kind in ("file", "video", "image", "poster"))
