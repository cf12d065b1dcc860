"""What a hostile client costs all others.

A server as operators start it is attacked by one client or by many, a row for each kind.  Meanwhile another
session, in a process of its own, says NOOP every few milliseconds: what it waits is what the attack costs it.
In some rows still others deliver messages, sign in or select a mailbox, too.  Each row has a new server.

The columns: how long the attack took; the longest NOOP of the other session, and what 99 of 100 did not
exceed; how much of the longest the server waited for a processor; how much of all processors other programs
used meanwhile; the longest of what others did beside; how much the server's memory grew, and what was left
of it a second after the client had gone; whether the row meets its aims.  The last columns are Dovecot's,
with the same mail in Maildirs, if it is installed and the row can be run there.

The aims: a NOOP of 50 ms, a delivery or a SELECT of 100 ms, a login of 1 s, 64 MB, and the server's own
stall meter tells of no work of 50 ms.  "busy" is a row that would meet them if the server had not waited for
a processor while other programs used them: measure it again on a quiet machine.

The exit status is 3 if a row does not meet its aims.  With --quick, it is 1 if the server worked for 200 ms
at a time, and the aims do not matter.
"""

from __future__ import annotations

import os
import re
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _parts.fairness_crowds
import _parts.fairness_memory
import _parts.fairness_sessions  # noqa: F401 (both add rows)
from _parts.dovecot import dovecot, why_not
from _parts.fairness_mail import NEWCOMERS, Scale, fill_maildirs, fill_store
from _parts.fairness_others import BESIDES, Memory, says_noop
from _parts.fairness_rows import ROWS, Row
from _parts.hostile import IMAPClient, Target, TimeIsUp
from _parts.probes import Probe, Waits
from _parts.processes import Server, all_cpu_seconds, cpu_seconds, free_port, running, twistd
from _parts.program import Options, Table, WrongAnswer, expect, run

NOOP = 50.0
"""Milliseconds that another session may wait."""

BESIDE = {"": 0.0, "delivery": 100.0, "SELECT": 100.0, "login": 1000.0}
"""The same for what others do besides."""

WORK = 50
"""Milliseconds for which the server may work at a time."""

QUICK_WORK = 200
"""The same with ``--quick``, which also runs where other programs make everything slower."""

STRANGERS = 0.05
"""If other programs have used less than this share of all processors, nothing is their fault."""

GROWTH = 64.0
"""Megabytes."""

QUICKLY_COMPARED = {"idle", "examine", "pop3-uidl", "noop-flood-10", "expunge-delivery"}
"""The rows that ``--quick`` runs with Dovecot, too: one for each way to attack it."""

PREPARING = 300
"""Seconds that a row's preparation may take."""

PROTOCOLS = ("imap", "imaps", "pop3", "smtp", "lmtp")


@dataclass(frozen=True)
class Figures:
    """What one run of a row has shown; times in milliseconds, memory in megabytes."""

    took: float
    is_cut: bool
    noop: Waits
    beside: Waits | None
    growth: float = 0.0
    left: float = 0.0
    strangers: float = 0.0


# -- the server


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Server, dict[str, int]]]:
    """Our server with the store in ``folder``, and its ports by protocol."""
    ports = {name: free_port() for name in PROTOCOLS}
    command = [
        *twistd(),
        "mailproto",
        f"--data={folder}",
        "--domain=example.org",
        *(f"--{name}=tcp:{port}:interface=127.0.0.1" for name, port in ports.items()),
    ]
    with running("the server", command, ports["imap"], wait=120) as server:
        yield server, ports


# -- a row


def measure(row: Row, target: Target, scale: Scale, pid: int | None) -> Figures:
    """Attack a server once."""
    imap = target.ports["imap"]
    with ExitStack() as stack:
        stack.callback(target.end)
        target.begin(PREPARING)
        attack = row.attack(target, scale)
        try:
            next(attack)
        except TimeIsUp:
            raise WrongAnswer(f"{row.name}: preparing it takes longer than {PREPARING} s") from None
        noop = Probe(lambda: says_noop(imap), pid)
        stack.callback(noop.end)
        beside = None
        if row.beside:
            protocol, act = BESIDES[row.beside]
            beside = Probe(lambda: act(target.ports[protocol]), pid)
            stack.callback(beside.end)
        memory = None if pid is None else Memory(pid)
        for probe in (noop, beside):
            if probe is not None:
                probe.begin()
        time.sleep(0.01 if scale.is_quick else 0.05)
        target.begin()
        ours = [probe.pid for probe in (noop, beside) if probe is not None]
        ours += [] if pid is None else [pid]
        strangers = _others_cpu_seconds(ours)
        began = time.perf_counter()
        is_cut = False
        try:
            next(attack, None)
        except TimeIsUp:
            is_cut = True
        took = (time.perf_counter() - began) * 1000
        time.sleep(0.01 if scale.is_quick else row.linger)
        found = noop.waits()
        besides = None if beside is None else beside.waits()
        strangers = _others_cpu_seconds(ours) - strangers
        strangers /= (time.perf_counter() - began) * (os.cpu_count() or 1)
        growth = 0.0 if memory is None else memory.growth()
        for probe in (noop, beside):
            if probe is not None:
                probe.end()  # a process of its own, which has inherited the clients' sockets
        target.end()
        left = 0.0
        if memory is not None:
            time.sleep(0 if scale.is_quick else 1)
            left = memory.left()
    return Figures(took, is_cut, found, besides, growth, left, strangers)


def _others_cpu_seconds(pids: Sequence[int]) -> float:
    """What all other programs have used until now."""
    return all_cpu_seconds() - sum(map(cpu_seconds, [os.getpid(), *pids]))


def median_of(all: Sequence[Figures]) -> Figures:
    """Of several runs, the one with the median of the longest NOOP; the others' memory counts, too."""
    ordered = sorted(all, key=lambda one: one.noop.longest)
    chosen = ordered[(len(ordered) - 1) // 2]
    return Figures(
        statistics.median_low([one.took for one in all]),
        any(one.is_cut for one in all),
        chosen.noop,
        chosen.beside,
        max(one.growth for one in all),
        all[-1].left,
        max(one.strangers for one in all),
    )


def verdict(row: Row, figures: Figures, stalls: Sequence[tuple[str, int, int]]) -> str:
    """Whether a row meets its aims."""
    if any(worked >= WORK for _, _, worked in stalls):
        return "NO"
    if figures.growth > GROWTH:
        return "NO"
    found = [(figures.noop, NOOP)]
    if figures.beside is not None:
        found.append((figures.beside, BESIDE[row.beside]))
    if all(waits.longest <= aim for waits, aim in found):
        return "yes"
    if figures.strangers < STRANGERS or any(waits.longest - waits.busy > aim for waits, aim in found):
        return "NO"
    return "busy"


class Benchmark:
    """Runs rows, and prints them."""

    def __init__(self, folder: Path, rows: Sequence[Row], given: Any) -> None:
        self._folder = folder
        self._rows = rows
        self._scale = Scale(given.quick)
        self._rounds: int = given.rounds
        self._seconds: tuple[float, float] = (given.seconds, given.flood / 1000)
        self._names = ["bob", *(f"new{number}" for number in range(NEWCOMERS) if self._has_logins())]
        self._names += sorted({name for row in rows for name in row.accounts} - {"bob"})
        self._stack = ExitStack()
        self._shared: tuple[Server, dict[str, int]] | None = None
        self._dovecot: dict[str, int] = {}
        self._idle = 0.0
        self.failed: list[str] = []

    def _has_logins(self) -> bool:
        return any(row.beside == "login" for row in self._rows)

    def run(self, *, with_dovecot: bool) -> None:
        """All rows."""
        fill_store(self._folder / "ours", self._names, self._scale)
        with self._stack:
            if with_dovecot and any(row.needs is not None for row in self._rows):
                self._start_dovecot()
            if self._scale.is_quick:
                self._shared = self._stack.enter_context(serving(self._folder / "ours"))
            headings = (
                "took",
                "NOOP",
                "99 %",
                "no CPU",
                "others",
                "beside",
                "MB",
                "left",
                "met",
                "Dovecot's NOOP",
                "took",
            )
            self._table = Table("milliseconds, megabytes", *headings, width=24, least=8)
            for row in (ROWS["idle"], *self._rows):
                self._run_row(row)
        if self._shared is not None:
            long = [stall for stall in _stalls(self._shared[0].output) if stall[2] >= QUICK_WORK]
            expect("what held the server (milliseconds, and those of work)", long, [])

    def _is_compared(self, row: Row) -> bool:
        if row.needs is None or (self._scale.is_quick and row.name not in QUICKLY_COMPARED):
            return False
        return bool(self._dovecot) and all(name in self._dovecot for name in row.needs)

    def _start_dovecot(self) -> None:
        folder = self._folder / "dovecot"
        reason = why_not(folder)
        if reason:
            print(f"Dovecot is left out: {reason}", flush=True)
            return
        fill_maildirs(folder / "mail", self._names, self._scale)
        self._dovecot = self._stack.enter_context(dovecot(folder, self._names))

    def _run_row(self, row: Row) -> None:
        stalls: list[tuple[str, int, int]] = []
        if self._shared is not None:
            ours = self._measured(row, *self._shared)
        else:
            with serving(self._folder / "ours") as (server, ports):
                ours = self._measured(row, server, ports)
            stalls = _stalls(server.output)
        cells = [
            f"{'>' if ours.is_cut else ''}{ours.took:,.0f}",
            f"{ours.noop.longest:,.1f}",
            f"{ours.noop.most:,.1f}",
            f"{ours.noop.busy:,.1f}",
            f"{ours.strangers:.0%}",
            "" if ours.beside is None else f"{ours.beside.longest:,.0f}",
            f"{ours.growth:,.0f}",
            f"{ours.left:,.0f}",
            found := verdict(row, ours, stalls),
        ]
        if self._is_compared(row):
            theirs = self._measured_dovecot(row)
            cells += [f"{theirs.noop.longest:,.1f}", f"{'>' if theirs.is_cut else ''}{theirs.took:,.0f}"]
        self._table.row(row.name, *cells)
        for command, ms, cpu_ms in stalls:
            print(f"    the server says that {command} held it for {ms} ms and worked for {cpu_ms} ms")
        if found == "NO":
            self.failed.append(row.name)

    def _measured(self, row: Row, server: Server, ports: dict[str, int]) -> Figures:
        target = Target(ports, True, *self._seconds)
        rounds = 1 if row.changes or row.name == "idle" else self._rounds
        found: list[Figures] = []
        while len(found) < rounds and sum(one.took for one in found) < 3000:
            try:
                found.append(measure(row, target, self._scale, server.pid))
            except WrongAnswer as error:
                raise WrongAnswer(f"{row.name}: {error}") from error
        return median_of(found)

    def _measured_dovecot(self, row: Row) -> Figures:
        target = Target(self._dovecot, False, *self._seconds)
        target.begin(PREPARING)
        for account in row.accounts:  # it makes its index
            IMAPClient(target, account).do("SELECT INBOX")
        target.end()
        return measure(row, target, self._scale, None)


def _stalls(output: str) -> list[tuple[str, int, int]]:
    """What the server's stall meter says: commands, milliseconds, and those of work among them."""
    found = re.findall(r"stalled peer.*? (?:command=(\S+) )?ms=(\d+) cpu_ms=(\d+)", output)
    return [(command or "something", int(ms), int(cpu_ms)) for command, ms, cpu_ms in found]


def main() -> None:
    """Fill a store, then attack a server with it, row by row."""
    options = Options(__doc__)
    options.add_argument("folder", nargs="?", default=None, help="where the stores are made")
    options.add_argument(
        "--row", action="append", choices=ROWS, metavar="NAME", help="only this one; repeatable"
    )
    options.add_argument("--list", action="store_true", help="the names of all rows, and what they do")
    options.add_argument("--no-dovecot", action="store_true", help="leave Dovecot out")
    options.add_number(
        "rounds", 3, quick=1, help="how often a row is run, unless it changes its mail or takes long"
    )
    options.add_number("seconds", 30, quick=10, help="after which a row is cut off")
    options.add_number("flood", 3000, quick=100, help="milliseconds that an endless row goes on")
    given = options.parse()
    if given.list:
        for row in ROWS.values():
            print(f"{row.name:<24}  {row.text}")
        return
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    names = given.row or [name for name in ROWS if name != "idle"]
    with tempfile.TemporaryDirectory(prefix="fairness-benchmark-", dir=given.folder) as folder:
        os.chmod(folder, 0o755)  # Dovecot's users enter it
        benchmark = Benchmark(Path(folder), [ROWS[name] for name in names], given)
        benchmark.run(with_dovecot=not given.no_dovecot)
    if benchmark.failed:
        print(f"these rows do not meet their aims: {', '.join(benchmark.failed)}", flush=True)
        if not given.quick:
            sys.exit(3)


if __name__ == "__main__":
    run(main)
