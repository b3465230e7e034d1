"""The labelled public texts that some benchmarks measure on, in a folder beside the repository; they are never shipped."""

from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def chat_messages() -> list[str]:
    """What is said in the shared chats; nothing where they are not there."""
    found: list[str] = []
    for file in sorted(SHARED.glob("chat-*/messages.tsv")):
        found += column(file, "message")
    return found


def column(file: Path, name: str) -> list[str]:
    """One column of a tab-separated file with heads."""
    rows = [line.split("\t") for line in file.read_text("utf-8").splitlines()]
    at = rows[0].index(name)
    return [row[at] for row in rows[1:] if len(row) > at]
