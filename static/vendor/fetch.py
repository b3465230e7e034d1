"""Fetch the vendored front-end files anew from the npm registry and check every hash.

Run ``python static/vendor/fetch.py``; it needs ``npm``. ``vendor.lock.json`` says what is wanted. A changed hash
stops the run before anything is written; ``--relock`` writes the new hashes after a deliberate change of version.
"""

import argparse
import hashlib
import json
import re
import subprocess  # npm is the registry's ordinary client
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LOCK = HERE / "vendor.lock.json"
STROKE = "1.5"
ESBUILD = "esbuild@0.25.12"  # writes the same bytes for the same input
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
INNER = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


def fetch_package(name: str, version: str, folder: Path) -> Path:
    """The unpacked package as the registry serves it."""
    done = subprocess.run(  # noqa: S603 - name and version come from our own lock file
        ["npm", "pack", f"{name}@{version}", "--silent"],  # noqa: S607
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    target = folder / name.replace("/", "_")
    with tarfile.open(folder / done.stdout.strip().splitlines()[-1]) as archive:
        archive.extractall(target, filter="data")
    return target / "package"


def lower(script: Path, target: str) -> bytes:
    """A script in the syntax of an older language version: WeCom's desktop client embeds an older Chromium."""
    done = subprocess.run(  # noqa: S603 - our own pinned tool on a file we have just fetched
        ["npx", "--yes", ESBUILD, str(script), "--minify", f"--target={target}"],  # noqa: S607
        check=True,
        capture_output=True,
    )
    return done.stdout


def make_sprite(package: Path, icons: list[str], version: str) -> bytes:
    """One SVG with a symbol per icon, in the thin stroke of the design."""
    parts = [
        f"<!-- Lucide {version}, ISC licence, see licences/lucide-static.txt -->",
        '<svg xmlns="http://www.w3.org/2000/svg">',
    ]
    for icon in icons:
        drawing = COMMENT.sub("", (package / "icons" / f"{icon}.svg").read_text("utf-8"))
        found = INNER.search(drawing)
        if found is None:
            raise SystemExit(f"{icon}.svg is not an icon")
        inner = re.sub(r">\s+<", "><", re.sub(r"\s+", " ", found.group(1)).strip())
        parts.append(
            f'<symbol id="{icon}" viewBox="0 0 24 24" fill="none" stroke="currentColor" '
            f'stroke-width="{STROKE}" stroke-linecap="round" stroke-linejoin="round">{inner}</symbol>'
        )
    return "\n".join([*parts, "</svg>", ""]).encode()


def wanted_files(entries: list[dict[str, Any]], folder: Path) -> list[tuple[dict[str, Any], bytes]]:
    """Every entry of the lock with the bytes the registry gives for it."""
    packages: dict[tuple[str, str], Path] = {}
    found = []
    for entry in entries:
        key = (entry["name"], entry["version"])
        if key not in packages:
            packages[key] = fetch_package(*key, folder)
        if "icons" in entry:
            found.append((entry, make_sprite(packages[key], entry["icons"], entry["version"])))
        else:
            path = packages[key] / entry["source"]
            found.append((entry, lower(path, entry["lowered"]) if "lowered" in entry else path.read_bytes()))
    return found


def main() -> int:
    """Fetch, compare, write."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--relock", action="store_true", help="accept what the registry serves and lock it")
    relock = options.parse_args().relock
    entries = json.loads(LOCK.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        files = wanted_files(entries, Path(folder))
    wrong = [entry["file"] for entry, content in files if hashlib.sha256(content).hexdigest() != entry["sha256"]]
    if wrong and not relock:
        sys.stderr.write(f"hash differs, nothing written: {', '.join(wrong)}\n")
        return 1
    for entry, content in files:
        entry["sha256"] = hashlib.sha256(content).hexdigest()
        path = HERE / entry["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    LOCK.write_text(json.dumps(entries, ensure_ascii=False, indent=2) + "\n", "utf-8")
    sys.stdout.write(f"{len(files)} files are as locked\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
