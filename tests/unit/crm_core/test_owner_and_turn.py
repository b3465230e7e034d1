"""Who holds a lease, and whose turn it is to write."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from crm_core.owner import is_dead, new_owner
from crm_core.turn import WriteTurn

PRINT_OWNER = "from crm_core.owner import new_owner; print(new_owner())"
PRINT_AND_WAIT = PRINT_OWNER + "; import sys; sys.stdout.flush(); sys.stdin.read()"


def test_an_owner_of_this_process_lives_and_is_unlike_any_other() -> None:
    assert not is_dead(new_owner())
    assert new_owner() != new_owner()


def test_a_child_that_ended_is_dead() -> None:
    done = subprocess.run([sys.executable, "-c", PRINT_OWNER], check=True, capture_output=True, text=True)
    assert is_dead(done.stdout.strip())


def test_a_child_lives_until_it_ends_even_if_nobody_has_waited_for_it_yet() -> None:
    with subprocess.Popen([sys.executable, "-c", PRINT_AND_WAIT], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout is not None
        owner = child.stdout.readline().strip()
        assert not is_dead(owner)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # gone, and a zombie until it is waited for
        assert is_dead(owner)


def test_a_recycled_pid_is_another_process() -> None:
    space, pid, start, name = new_owner().split(".")
    assert is_dead(f"{space}.{pid}.{int(start) - 1}.{name}")


def test_nothing_is_said_of_owners_elsewhere_or_of_other_forms() -> None:
    space, pid, start, name = new_owner().split(".")
    foreign = [
        "", "a", "worker-7", f"elsewhere.{pid}.1.{name}", f".{pid}.1.{name}", f"{space}.{pid}.{start}",
        f"{space}.{pid}.1.{name}.more", f"{space}.x.1.{name}", f"{space}.-1.1.{name}", f"{space}.².1.{name}",
    ]  # fmt: skip
    assert [owner for owner in foreign if is_dead(owner)] == []


def test_writers_take_turns_between_threads(tmp_path: Path) -> None:
    turn, order = WriteTurn(tmp_path / "a.db"), []

    def write() -> None:
        with turn:
            order.append("second")

    with turn:
        thread = Thread(target=write)
        thread.start()
        thread.join(0.05)
        order.append("first")
    thread.join(20)
    turn.close()
    assert order == ["first", "second"]
    assert (tmp_path / "a.db-turn").exists()


HOLD = """
import sys
from pathlib import Path
from crm_core.turn import WriteTurn
with WriteTurn(Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.read()
"""


def test_a_turn_is_waited_for_between_processes_and_freed_when_its_holder_is_killed(tmp_path: Path) -> None:
    path, order = tmp_path / "a.db", []
    turn = WriteTurn(path)

    def write() -> None:
        with turn:
            order.append("ours")

    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "mine\n"
        thread = Thread(target=write)
        thread.start()
        thread.join(0.1)
        order.append("theirs")
        holder.kill()
        thread.join(20)
    turn.close()
    assert order == ["theirs", "ours"]


def test_a_turn_that_cannot_be_taken_is_not_held(tmp_path: Path) -> None:
    turn = WriteTurn(tmp_path / "missing" / "a.db")
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            turn.acquire()
    (tmp_path / "missing").mkdir()
    assert turn.acquire() is True
    turn.release()
    turn.close()


def test_a_closed_turn_opens_anew(tmp_path: Path) -> None:
    turn = WriteTurn(tmp_path / "a.db")
    turn.close()
    for _ in range(2):
        with turn:
            pass
        turn.close()
        turn.close()
