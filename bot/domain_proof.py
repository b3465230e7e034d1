"""The files by which WeCom checks a trusted domain: ``var/domain_proof/WW_verify_….txt``, served at the site's root."""

from pathlib import Path

FOLDER = Path("var") / "domain_proof"


def read(code: str) -> bytes | None:
    """The file with this code, None when there is none."""
    file = FOLDER / f"WW_verify_{code}.txt"
    return file.read_bytes() if code.isalnum() and file.is_file() else None


def files() -> list[str]:
    """The names of all proof files, in name order."""
    return sorted(file.name for file in FOLDER.glob("WW_verify_*.txt"))
