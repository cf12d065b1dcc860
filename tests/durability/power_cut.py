"""Cut the power of a store at any moment, and see what is there when it is back.

``fuzz/power_cut.py`` does so for as long as is wanted.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet import reactor as installed

from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite._database import DATABASE
from tests.durability.answers import Answers, check
from tests.durability.disk import Disk
from tests.durability.recorder import Call, read_record, strace, wait_for_end

reactor: Any = installed

__all__ = ["Recording", "fast_folder", "record", "verify_cuts"]

CHECKOUT = Path(__file__).resolve().parents[2]
DATA = Path("above", "data")
"""The store's folder, in one that it makes, too."""
CHANCES = (0.0, 0.0, 0.5, 0.9, 1.0)
"""Of what was not synced, how much reached the disk: least often nothing, most often something."""


def fast_folder() -> str | None:
    """Where files are in memory, since the record tells what a disk would have; None: the usual place."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Recording:
    """What a load did, in several lives of its process, each but the last ended by kill -9."""

    def __init__(self, calls: Sequence[Call], kills: Sequence[int], root: str, seed: int) -> None:
        self.calls = calls
        self._kills = kills
        self._root = root
        self._seed = seed

    def __repr__(self) -> str:
        return f"the load of seed {self._seed}"

    def moments(self, choose: Random, count: int) -> list[int]:
        """Places in the record to cut: right after an answer, while the next process starts, anywhere."""
        answers = [at + 1 for at, call in enumerate(self.calls) if call.data.startswith(b'{"answered"')]
        starts = [at for kill in self._kills for at in range(kill, min(kill + 150, len(self.calls)))]
        anywhere = range(1, len(self.calls) + 1)
        chosen = [answers, answers, starts or answers, anywhere]
        return sorted(choose.choice(chosen[number % 4]) for number in range(count))

    def cut(self, moments: Sequence[int], folder: Path, choose: Random) -> Iterator[tuple[int, float, Path]]:
        """At each moment, what is left: (moment, chance, folder), which is there until the next."""
        disk = Disk(self._root)
        at = 0
        for moment in moments:
            for call in self.calls[at:moment]:
                disk.apply(call)
            at = moment
            chance = choose.choice(CHANCES)
            target = folder / "cut"
            disk.cut(target, choose, chance)
            try:
                yield moment, chance, target
            finally:
                shutil.rmtree(target)

    def answers(self, moment: int) -> Answers:
        """What was answered until then."""
        return Answers(
            call.data for call in self.calls[:moment] if call.name == "say" and call.data[:1] == b"{"
        )


def record(folder: Path, seed: int, operations: int, lives: int = 3) -> Recording:
    """Run the load, go back to where kill -9 would have ended it, run it again there, and so on.

    Kills come most often between the writes of a commit and their sync: what the next process
    finds then is in the system's memory and not on the disk.

    :param folder: empty.
    """
    choose = Random(seed)
    root, calls, kills = folder / "root", list[Call](), list[int]()
    root.mkdir()
    for life in range(lives):
        if life:
            kills.append(_moment_of_kill(calls, choose))
            del calls[kills[-1] :]
            disk = Disk(str(root))
            for call in calls:
                disk.apply(call)
            shutil.rmtree(root)
            disk.cut(root, choose, 1)
        trace = folder / "record"
        arguments = [str(root / DATA), f"{seed}-{life}", str(operations)]
        process = subprocess.Popen(
            [*strace(trace), sys.executable, "-m", "tests.durability.load", *arguments],
            stdout=subprocess.DEVNULL,
            cwd=CHECKOUT,
        )
        status = process.wait()
        wait_for_end(trace, process.pid)
        if status != 0:
            raise AssertionError(f"the load ended with status {status}")
        calls += [call._replace(began=call.began + len(calls)) for call in read_record(trace)]
        trace.unlink()
    return Recording(calls, kills, str(root), seed)


def _moment_of_kill(calls: Sequence[Call], choose: Random) -> int:
    """A place in the last life, not at its beginning."""
    starts = [at for at, call in enumerate(calls) if call.data.startswith(b'{"started"')]
    places = range((starts[-1] + len(calls)) // 2, len(calls))
    written = [at + 1 for at in places if calls[at].name == "write" and calls[at].path.endswith("-wal")]
    return choose.choice(written if choose.random() < 0.8 else places)


async def verify_cuts(recording: Recording, folder: Path, choose: Random, cuts: int) -> None:
    """Cut at as many moments, and `verify` what is left each time.

    :raises AssertionError: something is lost, or wrong.
    """
    moments = recording.moments(choose, cuts)
    for moment, chance, left in recording.cut(moments, folder, choose):
        try:
            await verify(left, recording.answers(moment))
        except Exception as error:
            raise AssertionError(f"{recording}: after {moment} calls, chance {chance}: {error}") from error


async def verify(folder: Path, answers: Answers) -> None:
    """Open what a cut left as a new process does, and compare.

    :raises AssertionError: something is lost, or wrong.
    """
    data = folder / DATA
    if not data.exists():
        assert not answers.answered, "everything is lost"
        return
    store = SQLiteStore(str(data), reactor=reactor)
    await store.start()
    try:
        await check(store, answers)
    finally:
        await store.stop()
    _check_database(data)


def _check_database(data: Path) -> None:
    connection = sqlite3.connect(data / DATABASE)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        files = {name for (name,) in connection.execute("SELECT file FROM bodies WHERE file IS NOT NULL")}
        [wrong] = connection.execute(
            "SELECT count(*) FROM bodies WHERE refs != (SELECT count(*) FROM messages WHERE body = bodies.id)"
            " + (SELECT count(*) FROM queued WHERE queued.id = bodies.id)"
        ).fetchone()
    finally:
        connection.close()
    assert files == set(os.listdir(data / f"{DATABASE}-bodies")), "files that no row names"
    assert not wrong, "bodies' references are counted wrong"
