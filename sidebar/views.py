"""Small things every view needs."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Response, g, make_response, request
from sqlmodel import Session

from crm_core import page_layouts
from crm_core.db import UnitOfWork
from crm_core.errors import NotAuthenticated
from crm_core.ids import ChatId, ExternalUserId
from sidebar.access import access_customer
from sidebar.auth import StaffSession
from sidebar.desk import Desk, desk_of
from sidebar.group_panel import access_group
from sidebar.layout import Layout, read_layout
from sidebar.panels import Panels
from sidebar.room import room

MOST_DIGITS = 15


def visitor() -> StaffSession:
    """Who is signed in. Raises: NotAuthenticated."""
    found = g.get("visitor")
    if not isinstance(found, StaffSession):
        raise NotAuthenticated("登录已过期，请重新打开侧边栏")
    return found


def number_arg(name: str) -> int:
    """A whole number from the address, 0 when it is missing or not one."""
    text = request.args.get(name, "")
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= MOST_DIGITS else 0


@contextmanager
def customer_panels(external_userid: str) -> Iterator[tuple[Panels, ExternalUserId]]:
    """The panels for a customer the visitor may see. Raises: NotAuthenticated, NotFound."""
    with room().db.reading() as session:
        external_user = access_customer(session, visitor(), external_userid)
        yield Panels(desk_of(room(), session, visitor())), external_user


@contextmanager
def customer_unit(external_userid: str) -> Iterator[tuple[UnitOfWork, ExternalUserId]]:
    """A write transaction about a customer the visitor may see; commits at the end.

    Raises: NotAuthenticated, NotFound.
    """
    with room().db.unit() as uow:
        external_user = access_customer(uow.session, visitor(), external_userid)
        yield uow, external_user
        uow.commit()


@contextmanager
def own_panels() -> Iterator[tuple[Panels, Session]]:
    """The panels of a page that is not about one customer. Raises: NotAuthenticated."""
    with room().db.reading() as session:
        yield Panels(desk_of(room(), session, visitor())), session


@contextmanager
def group_desk(chat_id: str) -> Iterator[tuple[Desk, ChatId]]:
    """The desk for a group the visitor may see. Raises: NotAuthenticated, NotFound."""
    with room().db.reading() as session:
        chat = access_group(session, visitor(), chat_id)
        yield desk_of(room(), session, visitor()), chat


@contextmanager
def group_unit(chat_id: str) -> Iterator[tuple[UnitOfWork, ChatId]]:
    """A write transaction about a group the visitor may see; commits at the end.

    Raises: NotAuthenticated, NotFound.
    """
    with room().db.unit() as uow:
        chat = access_group(uow.session, visitor(), chat_id)
        yield uow, chat
        uow.commit()


def layout_for(desk: Desk, page: str) -> Layout:
    """How the visitor arranged a page."""
    return read_layout(page, page_layouts.layout_of(desk.session, desk.corp, desk.staff, page))


def done(html: str) -> Response:
    """An answer after which the open sheet has done its work."""
    response = make_response(html)
    response.headers["HX-Trigger"] = "sheet-done"
    return response
