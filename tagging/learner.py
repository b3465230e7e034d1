"""A classifier that learns tags from sentences people have judged. Bears wrong labels; says how sure it is.

How: character n-grams, one linear separator per label (scikit-learn's LinearSVC). Each sentence is first judged by
separators that have not seen it; one whose label lies far below another's counts less (all labels count fully where
cross-validation finds few such). A last cross-validation gives precision and recall per label and turns distances
into probabilities. scikit-learn is loaded for training alone; a trained model answers with numpy.
"""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from math import exp, sqrt
from typing import Any
from zipfile import BadZipFile

from tagging.ngrams import Vocabulary, learn_vocabulary

FORMAT = 1
FOLDS = 5
DOUBT = 0.3  # how far (in margins) another label must lie above the given one before we doubt it
MUCH_NOISE = 0.1  # share of doubtful labels from which doubts count
STRICT, LENIENT = 1.0, 0.5  # C of the separators: labels are right, labels may be wrong
SCALES = (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20)
OUTSIDE = -3.0  # the margin of a label that a fold has never seen
BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A label for a text. confidence: 0 to 1."""

    label: str
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScore:
    """How well a label is told, by cross-validation. support: texts that carry it; threshold: a sensible confidence."""

    label: str
    precision: float
    recall: float
    support: int
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What a model is trained on. weights: how much each text counts. descriptions: what a label means, in words."""

    texts: Sequence[str]
    labels: Sequence[str]
    weights: Sequence[float] = ()
    descriptions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How the training went. doubtful: share of labels that looked wrong; accuracy: by cross-validation."""

    texts: int
    doubtful: float
    accuracy: float
    macro_f1: float
    labels: tuple[LabelScore, ...]


class TextModel:
    """A trained classifier."""

    def __init__(self, labels: Sequence[str], vocabulary: Vocabulary, weights: Any, bias: Any, scale: float) -> None:
        self.labels = list(labels)
        self._vocabulary = vocabulary
        self._weights = weights  # terms × labels
        self._bias = bias
        self._scale = scale
        self._numpy: Any = import_module("numpy")

    def probabilities(self, texts: Sequence[str]) -> Any:
        """One row per text, one column per label; rows sum to 1."""
        numpy = self._numpy
        margins = numpy.empty((len(texts), len(self.labels)), dtype="float32")
        for at, text in enumerate(texts):
            places, values = self._vocabulary.row(text)
            margins[at] = values @ self._weights[places] if places else 0
        return _softmax(numpy, margins + self._bias, self._scale)

    def predict(self, texts: Sequence[str]) -> list[Guess]:
        """The likeliest label of each text."""
        found: list[Guess] = []
        for start in range(0, len(texts), BATCH):
            given = self.probabilities(texts[start : start + BATCH])
            best = given.argmax(axis=1)
            found += [
                Guess(label=self.labels[at], confidence=float(row[at])) for row, at in zip(given, best, strict=True)
            ]
        return found

    def dump(self) -> bytes:
        """The model as bytes: plain arrays and JSON, nothing that runs when it is read."""
        head = {"format": FORMAT, "labels": self.labels, "terms": self._vocabulary.terms, "scale": self._scale}
        numpy, into = self._numpy, io.BytesIO()
        numpy.savez_compressed(
            into,
            head=numpy.frombuffer(json.dumps(head).encode(), dtype="uint8"),
            idf=self._vocabulary.weights,
            weights=self._weights.astype("float16"),
            bias=self._bias,
        )
        return into.getvalue()


def load(content: bytes) -> TextModel:
    """A model that ``dump`` wrote. Raises: ValueError (another format, or not a model)."""
    numpy: Any = import_module("numpy")
    try:
        with numpy.load(io.BytesIO(content), allow_pickle=False) as parts:
            head = json.loads(parts["head"].tobytes())
            idf, weights, bias = parts["idf"], parts["weights"].astype("float32"), parts["bias"]
    except (BadZipFile, KeyError, EOFError, OSError) as error:
        raise ValueError("a damaged model") from error
    if head.get("format") != FORMAT:
        raise ValueError("a model of another format")
    if weights.shape != (len(head["terms"]), len(head["labels"])) or bias.shape != (len(head["labels"]),):
        raise ValueError("a damaged model")
    return TextModel(head["labels"], Vocabulary(head["terms"], idf), weights, bias, float(head["scale"]))


def can_learn(labels: Sequence[str]) -> bool:
    """Whether there is something to tell apart: two labels with two texts each."""
    return sum(labels.count(label) >= 2 for label in set(labels)) >= 2


def train(lesson: Lesson, keep_alive: Callable[[], None] = lambda: None) -> tuple[TextModel, Report]:
    """Learn from a lesson. Takes seconds for thousands of texts. Raises: ValueError (``can_learn`` says no)."""
    if not can_learn(list(lesson.labels)):
        raise ValueError("two labels with two texts each are the least")
    class_ = _Class(lesson, keep_alive)
    first = class_.margins_unseen(STRICT / 5, class_.given_weights)
    own = first[class_.rows, class_.targets]
    gap = first.max(axis=1) - own
    doubtful = float((gap > DOUBT).mean())
    is_noisy = doubtful > MUCH_NOISE
    strictness = LENIENT if is_noisy else STRICT
    weights = class_.given_weights * class_.rarity()
    if is_noisy:
        weights = weights * class_.numpy.exp(-gap / DOUBT)
    unseen = class_.margins_unseen(strictness, weights)
    scale = _fit_scale(class_.numpy, unseen, class_.targets, weights)
    coefficients, bias = class_.separators(strictness, weights)
    model = TextModel(class_.labels, class_.vocabulary, coefficients, bias, scale)
    return model, _report(class_, unseen, scale, doubtful)


class _Class:
    """One training: texts as a sparse matrix, with folds that every label is spread over."""

    def __init__(self, lesson: Lesson, keep_alive: Callable[[], None]) -> None:
        self._keep_alive = keep_alive
        self.numpy: Any = import_module("numpy")
        self._sparse: Any = import_module("scipy.sparse")
        self._svm: Any = import_module("sklearn.svm")
        self.labels = sorted(set(lesson.labels))
        place = {label: at for at, label in enumerate(self.labels)}
        self.targets = self.numpy.array([place[label] for label in lesson.labels])
        self.rows = self.numpy.arange(len(self.targets))
        self.given_weights = self.numpy.array(lesson.weights or [1.0] * len(self.targets), dtype="float64")
        told = [(place[label], words) for label, words in lesson.descriptions.items() if label in place and words]
        self.vocabulary = learn_vocabulary([*lesson.texts, *(words for _, words in told)])
        self._texts = self._matrix(lesson.texts)
        self._told = self._matrix([words for _, words in told]) if told else None
        self._told_targets = self.numpy.array([at for at, _ in told], dtype="int64")
        self._fold = self._spread()

    def _matrix(self, texts: Sequence[str]) -> Any:
        places: list[int] = []
        values: list[Any] = []
        ends = [0]
        for text in texts:
            found, weights = self.vocabulary.row(text)
            places += found
            values.append(weights)
            ends.append(len(places))
        data = self.numpy.concatenate(values).astype("float64")
        return self._sparse.csr_matrix((data, places, ends), shape=(len(texts), len(self.vocabulary)))

    def _spread(self) -> Any:
        """A fold for each text: each label's texts are dealt out in turn, in an order that is always the same."""
        shuffled = self.numpy.random.RandomState(7).permutation(len(self.targets))
        fold = self.numpy.zeros(len(self.targets), dtype="int64")
        dealt = [0] * len(self.labels)
        for at in shuffled:
            label = self.targets[at]
            fold[at] = (dealt[label] + label) % FOLDS
            dealt[label] += 1
        return fold

    def rarity(self) -> Any:
        """Rare labels count more, by the square root of how rare they are."""
        counts = self.numpy.bincount(self.targets, minlength=len(self.labels))
        each = [sqrt(len(self.targets) / (len(self.labels) * max(count, 1))) for count in counts]
        return self.numpy.array(each)[self.targets]

    def margins_unseen(self, strictness: float, weights: Any) -> Any:
        """Every text judged by separators that have not seen it."""
        margins = self.numpy.full((len(self.targets), len(self.labels)), OUTSIDE)
        for fold in range(FOLDS):
            is_out = self._fold == fold
            if not is_out.any():
                continue
            coefficients, bias = self.separators(strictness, weights, among=~is_out)
            margins[is_out] = self._texts[is_out] @ coefficients + bias
        return margins

    def separators(self, strictness: float, weights: Any, among: Any = None) -> tuple[Any, Any]:
        """Terms × labels, and what is added; over all texts or some, and always the descriptions."""
        self._keep_alive()
        numpy, texts, targets = self.numpy, self._texts, self.targets
        if among is not None:
            texts, targets, weights = texts[among], targets[among], weights[among]
        if self._told is not None:
            texts = self._sparse.vstack([texts, self._told]).tocsr()
            targets = numpy.concatenate([targets, self._told_targets])
            weights = numpy.concatenate([weights, numpy.ones(len(self._told_targets))])
        coefficients = numpy.zeros((len(self.vocabulary), len(self.labels)), dtype="float32")
        bias = numpy.full(len(self.labels), OUTSIDE, dtype="float32")
        present = numpy.unique(targets)
        if len(present) == 1:
            bias[present] = 1
            return coefficients, bias
        machine = self._svm.LinearSVC(C=strictness, random_state=7, max_iter=3000, tol=1e-3)
        machine.fit(texts, targets, sample_weight=weights)
        found, added = machine.coef_, machine.intercept_
        if len(present) == 2:
            found, added = numpy.vstack([-found, found]), numpy.concatenate([-added, added])
        coefficients[:, present] = found.T
        bias[present] = added
        return coefficients, bias


def _softmax(numpy: Any, margins: Any, scale: float) -> Any:
    raised = numpy.exp((margins - margins.max(axis=1, keepdims=True)) * scale)
    return raised / raised.sum(axis=1, keepdims=True)


def _fit_scale(numpy: Any, margins: Any, targets: Any, weights: Any) -> float:
    """The scale under which the probabilities of unseen texts fit their labels best."""
    rows = numpy.arange(len(targets))

    def surprise(scale: float) -> float:
        own = _softmax(numpy, margins, scale)[rows, targets]
        return float(-(numpy.log(numpy.maximum(own, exp(-20))) * weights).sum())

    return min(SCALES, key=surprise)


def _report(class_: _Class, unseen: Any, scale: float, doubtful: float) -> Report:
    numpy = class_.numpy
    given = _softmax(numpy, unseen, scale)
    said = given.argmax(axis=1)
    sure = given.max(axis=1)
    scores = [_score(class_, at, said, sure) for at in range(len(class_.labels))]
    f1 = [2 * one.precision * one.recall / max(one.precision + one.recall, 1e-9) for one in scores]
    return Report(
        texts=len(class_.targets),
        doubtful=doubtful,
        accuracy=float((said == class_.targets).mean()),
        macro_f1=sum(f1) / len(f1),
        labels=tuple(scores),
    )


def _score(class_: _Class, at: int, said: Any, sure: Any) -> LabelScore:
    """Precision and recall of one label, and the least confidence from which nine in ten guesses are right."""
    is_said, is_so = said == at, class_.targets == at
    right = int((is_said & is_so).sum())
    threshold, hits = 0.95, 0
    order = sorted(((float(sure[one]), bool(is_so[one])) for one in class_.numpy.flatnonzero(is_said)), reverse=True)
    for rank, (confidence, is_right) in enumerate(order, start=1):
        hits += is_right
        if hits >= 0.9 * rank:
            threshold = min(threshold, confidence)
    return LabelScore(
        label=class_.labels[at],
        precision=right / max(int(is_said.sum()), 1),
        recall=right / max(int(is_so.sum()), 1),
        support=int(is_so.sum()),
        threshold=round(max(0.3, threshold), 3),
    )
