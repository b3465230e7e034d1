"""Private keys of the chat archive by version: from a folder and from the environment, read anew each time."""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

FILE = re.compile(r"(?:.*?[^0-9])?([0-9]{1,9})\.pem")


class KeyRing:
    """``<version>.pem`` in a folder, and ``SCRM_<APP>_PRIVATE_KEY_<version>``, which goes first."""

    def __init__(self, folder: str, app_key: str, environment: Mapping[str, str] = os.environ) -> None:
        self._folder = Path(folder) if folder else None
        self._variable = re.compile(rf"SCRM_{re.escape(app_key.upper())}_PRIVATE_KEY_([0-9]{{1,9}})")
        self._environment = environment

    def pems(self) -> dict[int, str]:
        """Every key at hand, by version. A file that cannot be read counts as missing."""
        found: dict[int, str] = {}
        if self._folder is not None and self._folder.is_dir():
            for file in sorted(self._folder.iterdir()):
                if match := FILE.fullmatch(file.name):
                    text = _read(file)
                    if text:
                        found[int(match.group(1))] = text
        for name, value in self._environment.items():
            if match := self._variable.fullmatch(name):
                found[int(match.group(1))] = value.replace("\\n", "\n")
        return found

    def prints(self) -> dict[int, str]:
        """Fingerprints of the keys by version: enough to see that one was added or exchanged."""
        return {version: hashlib.sha256(pem.encode()).hexdigest()[:16] for version, pem in self.pems().items()}


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
