"""Small charts drawn here as SVG: one message each, direct labels, no script. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT, FLOOR, TOP = 640, 160, 132, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One day. x, y, width, height: where its bar stands; label: under the axis, "" for most."""

    day: date
    value: int
    x: float
    y: float
    width: float
    height: float
    label: str
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChart:
    """A chart for the template to draw. most: the largest value."""

    bars: tuple[Bar, ...]
    most: int
    total: int
    width: int = WIDTH
    height: int = HEIGHT
    floor: int = FLOOR


def days(values: Sequence[tuple[date, int]]) -> BarChart:
    """Bars over days; the first, the last and every seventh are named, the largest shows its number."""
    most = max((value for _, value in values), default=0)
    step = WIDTH / max(1, len(values))
    bars = []
    for at, (day, value) in enumerate(values):
        height = (FLOOR - TOP) * value / most if most else 0
        named = at in (0, len(values) - 1) or ((len(values) - 1 - at) % 7 == 0 and at > 3)
        bars.append(
            Bar(
                day=day,
                value=value,
                x=round(at * step + step * 0.15, 1),
                y=round(FLOOR - height, 1),
                width=round(step * 0.7, 1),
                height=round(height, 1),
                label=f"{day.month}/{day.day}" if named else "",
                told=str(value) if value == most and most else "",
            )
        )
    return BarChart(bars=tuple(bars), most=most, total=sum(value for _, value in values))
