"""Static files under names that carry their content's hash, compressed once when the process starts."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from flask import Request, Response

from crm_core.errors import NotFound

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
SQUEEZED = {".css", ".js"}
FOREVER = "public, max-age=31536000, immutable"
STATIC_FOLDER = Path(__file__).resolve().parent.parent / "static"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One static file, plain and compressed."""

    name: str
    digest: str
    content: bytes
    packed: bytes
    mimetype: str


class Assets:
    """The static files of a surface. ``names`` are paths under ``folder``, e.g. ``sidebar/app.js``.

    ``bundles``: names made of several files one after the other; one request, and they compress better together.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        *,
        prefix: str,
        folder: Path = STATIC_FOLDER,
        bundles: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    ) -> None:
        self._prefix = prefix
        self._assets = {name: _load(folder, name, bundles.get(name, (name,))) for name in names}

    def url(self, name: str) -> str:
        """The address of a file; it changes with the content."""
        asset = self._assets[name]
        return f"{self._prefix}/{asset.digest}/{asset.name}"

    def packed_bytes(self, name: str) -> int:
        """How many bytes travel for a file."""
        return len(self._assets[name].packed)

    def serve(self, request: Request, digest: str, name: str) -> Response:
        """The file for this request. Raises: NotFound, also for an outdated hash."""
        asset = self._assets.get(name)
        if asset is None or asset.digest != digest:
            raise NotFound("文件不存在")
        packed = request.accept_encodings["gzip"] > 0
        response = Response(asset.packed if packed else asset.content, content_type=asset.mimetype)
        if packed:
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Cache-Control"] = FOREVER
        response.headers["Vary"] = "Accept-Encoding"
        response.set_etag(digest)
        return response


def _load(folder: Path, name: str, parts: tuple[str, ...]) -> Asset:
    suffix = Path(name).suffix
    content = b"\n".join((folder / part).read_bytes() for part in parts)
    if suffix in SQUEEZED and not name.startswith("vendor/"):
        content = _squeeze(content.decode()).encode()
    return Asset(
        name=name,
        digest=hashlib.sha256(content).hexdigest()[:16],
        content=content,
        packed=gzip.compress(content, 9, mtime=0),
        mimetype=TYPES[suffix],
    )


def _squeeze(text: str) -> str:
    """Our own script or style without indentation, blank lines and comments that fill whole lines.

    Nothing in it may mean something by its indentation: template strings are too new for the engines we serve anyway.
    """
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not (line.startswith("/*") and line.endswith("*/")))
