"""The search of the top bar."""

from flask import render_template, request

from bot.console import search
from bot.console.access import looking
from bot.console.views import page
from materials import service as scripts


@page("/search", permission="customers.read")
def search_all() -> str:
    """What fits the words, kind by kind."""
    words = request.args.get("q", "")
    with looking() as sight:
        found = search.find(sight, words)
    return render_template("console/found.html", found=found, words=words.strip())


@page("/search/script/<int:script_id>", permission="scripts.read")
def found_script(script_id: int) -> str:
    """One script in the drawer, to read or copy. Raises: NotFound."""
    with looking() as sight:
        viewer = sight.who.staff if sight.visible is not None else None
        script = scripts.get(sight.session, sight.corp, script_id, viewer=viewer)
    return render_template("console/found_script.html", script=script)
