"""Corp tags: groups and tags with what they are used for, and changes that go to WeCom first."""

from flask import render_template, request

from bot.console.access import Sight, acting, contact_app, looking
from bot.console.views import page
from crm_core import audit
from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid, ScrmError
from tagging import changes, holders
from tagging import service as tagging


@page("/tags", permission="tags.read")
def tags_page() -> str:
    """The library."""
    return render_template("console/tags.html", **_library())


@page("/tags/library", permission="tags.read")
def tags_part() -> str:
    """The library alone, asked again while changes wait."""
    return render_template("console/tags_library.html", **_library())


def _library(said: str = "") -> dict[str, object]:
    with looking() as sight:
        library = tagging.library(sight.session, sight.corp)
        return {
            "library": library,
            "usage": holders.usage(sight.session, sight.corp, sight.visible),
            "open_changes": changes.open_changes(sight.session, sight.corp),
            "count": sum(len(group.tags) for group in library),
            "said": said,
        }


@page("/tags/change", permission="tags.write", methods=("POST",))
def change_tags_library() -> str:
    """Make, rename, move or delete a tag or group. What is wrong is said above the library."""
    said = ""
    try:
        with acting() as (uow, sight):
            _change(uow, sight)
    except ScrmError as error:
        said = error.message
    return render_template("console/tags_library.html", **_library(said))


def _change(uow: UnitOfWork, sight: Sight) -> None:
    given, corp = request.form, sight.corp
    act, target = given.get("act", ""), given.get("target", "")
    ask = changes.Ask(uow=uow, corp=corp, app=contact_app(corp), actor=sight.who.actor)
    if act == "add":
        names = given.get("names", "").replace("，", ",").replace("、", ",").replace("\n", ",").split(",")
        changes.add(ask, names=names, group_id=target, group_name=given.get("group_name", ""))
    elif act == "rename":
        changes.rename(ask, target, given.get("name", ""))
    elif act in ("up", "down"):
        changes.order(ask, target, up=act == "up")
    elif act == "delete":
        changes.delete(ask, target)
    elif act == "dismiss" and target.isascii() and target.isdigit():
        changes.dismiss(uow, corp, int(target))
        return
    else:
        raise InputInvalid("没有这种操作")
    told = {name: text for name, text in given.items() if name in ("names", "group_name", "name")}
    audit.record(
        uow, corp=corp, actor=sight.who.actor, act=f"tags.{act}", object_kind="tag", object_id=target, data=told
    )
