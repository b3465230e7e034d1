"""A small chart of days, drawn on the server as inline SVG: one bar a day, direct labels, the rest in grey. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from crm_core.overview import Day

WIDTH, HEIGHT = 640, 232
LEFT, RIGHT, TOP, BOTTOM = 8, 60, 32, 40
GAP = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The days with their drawing. best: the day that most came."""

    days: Sequence[Day]
    svg: Markup

    @property
    def best(self) -> Day:
        """The newest of the days with the most new customers."""
        return max(self.days, key=lambda one: (one.new, one.day))


def draw(days: Sequence[Day]) -> Trend:
    """New customers as bars in the one hue, lost ones as a grey dashed line. ``days`` oldest first, at least one."""
    most = max(1, *(max(one.new, one.lost) for one in days))
    slot = (WIDTH - LEFT - RIGHT) / len(days)
    floor = HEIGHT - BOTTOM

    def up(value: int) -> float:
        return floor - (floor - TOP) * value / most

    best = max(days, key=lambda one: (one.new, one.day))
    parts: list[Markup] = [
        Markup('<line class="is-base" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(LEFT, floor, WIDTH - RIGHT, floor)
    ]
    for number, one in enumerate(days):
        x, top = LEFT + slot * number + slot * GAP / 2, up(one.new)
        said = f"{one.day.month}月{one.day.day}日：新增 {one.new}，流失 {one.lost}"
        parts.append(
            Markup(
                '<rect class="is-story" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2">'
                "<title>{}</title></rect>"
            ).format(x, top, slot * (1 - GAP), max(floor - top, 0), said)
        )
        if one.new and (one is best or number == len(days) - 1):
            parts.append(_text(x + slot * (1 - GAP) / 2, top - 6, str(one.new), "is-said"))
        if number % 3 == (len(days) - 1) % 3:
            parts.append(_text(x + slot * (1 - GAP) / 2, HEIGHT - 8, f"{one.day.month}/{one.day.day}"))
    points = " ".join(f"{LEFT + slot * (number + 0.5):.1f},{up(one.lost):.1f}" for number, one in enumerate(days))
    parts.append(Markup('<polyline class="is-line-rest" points="{}"/>').format(points))
    last = days[-1]
    new_y, lost_y = up(last.new), up(last.lost)
    if abs(new_y - lost_y) < 16:
        lost_y = min(new_y + 16, floor - 2) if new_y + 16 < floor else new_y
        new_y = lost_y - 16
    for words, y, style in (("新增", new_y, "is-said"), ("流失", lost_y, "")):
        parts.append(_text(WIDTH - RIGHT + 8, y + 4, words, style, anchor="start"))
    label = (
        f"近 {len(days)} 天每日新增与流失，共新增 {sum(one.new for one in days)}，流失 {sum(one.lost for one in days)}"
    )
    drawing = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, label, Markup("").join(parts)
    )
    return Trend(days=days, svg=drawing)


def _text(x: float, y: float, words: str, style: str = "", *, anchor: str = "middle") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        style, x, y, anchor, escape(words)
    )
