"""Who holds a lease: a name that tells whether its process still lives, for others on the same machine.

The name is ``<pid namespace>.<pid>.<start time>.<random>``. Only a process in the same namespace may judge, and a
recycled pid has another start time, so "dead" is never said of the living. Elsewhere the lease simply runs out.
"""

import os
import uuid
from pathlib import Path


def new_owner() -> str:
    """A fresh owner name for a thread of this process."""
    return f"{_namespace()}.{os.getpid()}.{_start_time(os.getpid())}.{uuid.uuid4().hex[:8]}"


def is_dead(owner: str) -> bool:
    """Whether the process behind ``owner`` is certainly gone. Unknown forms and other machines: False."""
    parts = owner.split(".")
    if len(parts) != 4 or parts[0] != _namespace() or not parts[0] or not parts[1].isdecimal():
        return False
    return _start_time(int(parts[1])) != parts[2]


def _namespace() -> str:
    """Kernel boot and pid namespace; "" where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
    return f"{boot[:8]}{''.join(char for char in space if char.isdigit())}"


def _start_time(pid: int) -> str:
    """Start time of a process in clock ticks since boot, "" when there is none (or only a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]
