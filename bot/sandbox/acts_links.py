"""Coming through an acquisition link (获客链接): opening it, the first words, the quota."""

from __future__ import annotations

from bot.sandbox import ids
from bot.sandbox.acts import ActRefused, Adding, add
from bot.sandbox.corp import Corp
from bot.sandbox.events import acquisition_event
from bot.sandbox.model import Follow, Person, Staff
from bot.sandbox.records import AcquiredCustomer, AcquisitionLink, ChatKey
from bot.sandbox.world import World

_STATE_BYTES = 64
_LOW_BALANCE = 20
_ADDED_BY_LINK = 16
_TOLD_AT = {3, 5, 10}


def find_link(world: World, link_id: str) -> tuple[Corp, AcquisitionLink]:
    """A link of any corp by its id."""
    for corp in world.corps.values():
        if link_id in corp.links:
            return corp, corp.links[link_id]
    raise ActRefused("链接不存在或已失效")


def open_link(world: World, corp: Corp, link: AcquisitionLink, person: Person, channel: str = "") -> Adding:
    """A person opens the link and adds a member; channel is the URL's customer_channel, cut at 64 bytes."""
    state = channel.encode()[:_STATE_BYTES].decode("utf-8", "ignore")
    external = world.external_id(corp, person)
    link.clicks.append((world.clock.stamp(), person.id))
    if corp.link_balance < 1:
        raise ActRefused("获客链接额度已用完，暂时无法添加")
    member = _choose(corp, link, external)
    if member is None:
        world.emit(corp, acquisition_event("link_unavailable", LinkId=link.link_id))
        raise ActRefused("链接没有可添加的成员")
    if state:
        world.emit(corp, acquisition_event("friend_request", LinkId=link.link_id, State=state))
    adding = add(
        world,
        corp,
        member,
        person,
        state=state,
        stage="full" if link.skip_verify else "requested",
        add_way=_ADDED_BY_LINK,
        link_id=link.link_id,
    )
    if adding.happened != "already":
        link.customers.append(AcquiredCustomer(next(corp.seq), world.clock.stamp(), member.userid, external, state))
        _spend(world, corp)
    return adding


def _choose(corp: Corp, link: AcquisitionLink, external: str) -> Staff | None:
    """Whoever brought in fewest through this link; friends first when the link's priority asks for it."""
    people = corp.people_in(link.users, link.departments)
    able = [m for m in (corp.member(u) for u in people) if m and m.serves_customers]
    if link.priority:
        wanted = set(corp.by_customer.get(external, {}))
        if link.priority.get("priority_type") == 2:
            wanted &= set(link.priority.get("priority_userid_list", []))
        friends = [m for u in wanted if (m := corp.member(u)) and m.serves_customers]
        if friends:
            return friends[0]
    return min(able, key=lambda m: sum(c.userid == m.userid for c in link.customers), default=None)


def _spend(world: World, corp: Corp) -> None:
    corp.link_balance -= 1
    corp.links_used += 1
    if corp.link_balance == 0:
        world.emit(corp, acquisition_event("balance_exhausted"))
    elif corp.link_balance == _LOW_BALANCE - 1:
        world.emit(corp, acquisition_event("balance_low"))


def set_balance(world: World, corp: Corp, balance: int) -> None:
    """The corp buys quota, or it runs out."""
    before, corp.link_balance = corp.link_balance, max(balance, 0)
    world.touch()
    if before == 0 and corp.link_balance:
        world.emit(corp, acquisition_event("balance_increased"))
    elif before and corp.link_balance == 0:
        world.emit(corp, acquisition_event("balance_exhausted"))


def count_words(world: World, corp: Corp, follow: Follow) -> None:
    """A customer who came through a link wrote: told at the first, third, fifth and tenth message."""
    for link in corp.links.values():
        pair = (follow.userid, follow.external_userid)
        one = next((c for c in reversed(link.customers) if (c.userid, c.external_userid) == pair), None)
        if one is None:
            continue
        one.wrote += 1
        if one.wrote == 1:
            world.emit(
                corp,
                acquisition_event(
                    "customer_start_chat", UserID=one.userid, ExternalUserID=one.external_userid, LinkId=link.link_id
                ),
            )
        if one.wrote in _TOLD_AT:
            key = ChatKey(ids.opaque("ck_", 30), world.clock.now(), link.link_id, one, one.wrote)
            corp.chat_keys[key.key] = key
            world.emit(
                corp, acquisition_event("message_from_customer", LinkId=link.link_id, State=one.state, ChatKey=key.key)
            )
