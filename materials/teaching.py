"""How lessons tip the ranking: what was sent or praised for something like this comes earlier, what was not later."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from materials.lessons import DOWN, SENT, UP, Lesson
from materials.ranking import Ranker, grams, numpy

HALF_LIFE_DAYS = 45.0
VALUE = {SENT: 0.5, UP: 1.0, DOWN: -1.5}
REPLIED = 0.25
MOST_BONUS = 1.5  # standard deviations: enough to pass a neighbour, not to come from nowhere
LIKE, LIKE_WORDS = 0.4, 0.5  # how alike two questions must be: cosine from the middle, share of characters and pairs
OFTEN, OFTEN_BONUS = 5, 0.15  # sends that make a script known, and what that is worth at most
DAY_SECONDS = 86_400.0


class Teaching:
    """The lessons of one corp, ready to be asked about a question. uses: how often each script was sent."""

    def __init__(self, taught: Sequence[Lesson], ranker: Ranker, uses: Mapping[int, int]) -> None:
        np = numpy()
        known = [lesson for lesson in taught if lesson.script_id in ranker.places]
        model = ranker.meanings.model if ranker.meanings is not None else ""
        self._ranker = ranker
        self._with_vector = [one for one in known if model and one.model == model and one.vector]
        self._by_words = [(one, frozenset(grams(one.said))) for one in known if one.said]
        self._matrix = None
        if self._with_vector and ranker.meanings is not None:
            rows = np.frombuffer(b"".join(one.vector for one in self._with_vector), dtype="float32")
            self._matrix = ranker.meanings.seen_from_middle(rows.reshape(len(self._with_vector), -1))
        self._often = {script_id: count for script_id, count in uses.items() if count >= OFTEN}
        self._usual = np.zeros(len(ranker), dtype="float32")
        most = max(self._often.values(), default=1)
        for script_id, count in self._often.items():
            if script_id in ranker.places:
                self._usual[ranker.places[script_id]] = OFTEN_BONUS * np.log1p(count) / np.log1p(most)

    def bonus(self, text: str, asked: Any | None, now: datetime) -> tuple[Any, Callable[[int], tuple[str, ...]]]:
        """(what to add to each place, the reasons for a script's id)."""
        np = numpy()
        weights: dict[int, float] = defaultdict(float)
        sent: dict[int, int] = defaultdict(int)
        liked: dict[int, int] = defaultdict(int)
        for lesson, like in self._alike(text, asked):
            age = max((now - lesson.happened_at).total_seconds(), 0.0) / DAY_SECONDS
            value = VALUE[lesson.verdict] + (REPLIED if lesson.replied else 0.0)
            weights[lesson.script_id] += value * like * 0.5 ** (age / HALF_LIFE_DAYS)
            sent[lesson.script_id] += lesson.verdict == SENT
            liked[lesson.script_id] += lesson.verdict == UP
        found = self._usual.copy()
        for script_id, weight in weights.items():
            found[self._ranker.places[script_id]] += MOST_BONUS * np.tanh(weight / 2)

        def reasons(script_id: int) -> tuple[str, ...]:
            told = []
            if weights.get(script_id, 0.0) > 0 and sent[script_id]:
                told.append(f"同事对类似问题发过 {sent[script_id]} 次")
            if weights.get(script_id, 0.0) > 0 and liked[script_id]:
                told.append(f"{liked[script_id]} 人点赞")
            if not told and self._often.get(script_id):
                told.append("同事常用")
            return tuple(told)

        return found, reasons

    def _alike(self, text: str, asked: Any | None) -> list[tuple[Lesson, float]]:
        """The lessons about something like this, each with how alike it is, 0–1."""
        np = numpy()
        meanings = self._ranker.meanings
        if asked is not None and self._matrix is not None and meanings is not None:
            near = self._matrix @ meanings.seen_from_middle(np.asarray(asked, dtype="float32"))
            return [(self._with_vector[int(place)], float(near[place])) for place in np.flatnonzero(near >= LIKE)]
        mine = frozenset(grams(text))
        found = []
        for lesson, theirs in self._by_words:
            like = len(mine & theirs) / max(len(mine | theirs), 1)
            if like >= LIKE_WORDS:
                found.append((lesson, like))
        return found
