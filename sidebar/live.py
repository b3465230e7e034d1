"""Pages that wait for news: the answer's head; the gate in front holds it open (``bot/live.py``)."""

from flask import Response

LIVE_HEADER = "X-Scrm-Live"


def held_open(lane: str) -> Response:
    """An answer that stays open and tells of news in ``lane``; without the gate it ends and the page asks again."""
    response = Response("retry: 5000\n\n", content_type="text/event-stream; charset=utf-8")
    response.headers[LIVE_HEADER] = lane
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response
