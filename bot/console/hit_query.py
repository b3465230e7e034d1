"""What the address of the hits' list asks for; tasks read it too."""

from bot.console.list_state import ListState
from crm_core.sensitive.hits import HitFilter


def filter_of(state: ListState) -> HitFilter:
    """The filter that an address stands for."""
    return HitFilter(
        state=state.one("state"),
        severity=state.number("severity"),
        category=state.number("category"),
        staff=state.one("staff"),
        department=state.number("department"),
        week=state.one("week"),
        since_week=state.one("since_week"),
        assignee=state.one("assignee"),
    )
