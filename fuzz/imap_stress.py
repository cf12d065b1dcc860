"""Many IMAP clients that do at random what clients do, and note whatever contradicts what they were told.

Such are: numbers out of range, EXPUNGE when it is not allowed, UIDs that change or do not ascend, flags that
FLAGS did not list, ``\\Recent`` in two sessions, a keyword that nobody changed, modseqs and UIDNEXT that go
back, octets and ENVELOPEs that change, NO and BAD without a reason, and changes that are not seen when all
clients stop and look.

Some of the clients use CONDSTORE, QRESYNC, UIDONLY, IMAP4rev2, COMPRESS, and NOTIFY with expunges at any time
or delayed.

By default it starts servers of its own: one with a store in memory, and two processes on one SQLite store.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from _parts.stress.mixtures import MIXTURES
from _parts.stress.player import Player
from _parts.stress.world import World

CHECKOUT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
LOGIN = ("alice@localhost", "secret")
MAILBOXES = ("INBOX", "Work", "Lists/Stress")
STEPS = 30
"""Between two checkpoints, of each client; at random up to this."""

SETTLING = 0.3
"""Seconds that a change may take from one session to another (hints may come late)."""

START = 30


class Server:
    """A server of our own, in a process of its own.

    :ivar port: for IMAP.
    """

    def __init__(self, folder: Path, number: int, store: str) -> None:
        self.log = folder / f"log{number}"
        listeners = ("smtp", "submission", "pop3", "imap", "submissions", "pop3s", "imaps")
        command = [
            str(Path(sys.executable).parent / "twistd"),
            "-n",
            f"--pidfile={folder}/pid{number}",
            "mailproto",
        ]
        command += ["--data", str(folder / "data"), "--account", ":".join(LOGIN)]
        command += ["--store", store] if store else []
        for name in listeners:
            command += [f"--{name}", f"tcp:0:interface={HOST}"]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}
            )
        end = time.monotonic() + START
        while "mailproto is ready" not in (text := self.log.read_text(errors="replace")):
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise SystemExit(f"the server did not start:\n{text}")
            time.sleep(0.05)
        found = re.search(r"mailproto: imap on [\d.]+:(\d+)", text)
        assert found is not None
        self.port = int(found[1])

    def stop(self) -> str:
        """End it; returns the failures in its log."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._process.wait(START)
        text = self.log.read_text(errors="replace")
        return text if "Traceback" in text or "CRITICAL" in text.upper() else ""


@contextlib.contextmanager
def servers(store: str, processes: int) -> Iterator[list[int]]:
    """Servers on one store; gives their ports."""
    with tempfile.TemporaryDirectory(prefix="mailproto-stress-") as name:
        running: list[Server] = []
        try:
            running.extend(Server(Path(name), number, store) for number in range(processes))
            yield [server.port for server in running]
        finally:
            failures = [server.stop() for server in running]
        for text in filter(None, failures):
            raise SystemExit(f"in the server's log:\n{text[-5000:]}")


async def stress(
    seed: int,
    seconds: float,
    clients: int,
    addresses: Sequence[tuple[str, int]],
    login: tuple[str, str],
    talk: int = 0,
    mixture: str = "even",
    mailboxes: int = len(MAILBOXES),
) -> World:
    """Let clients play for a time.

    :param addresses: of servers on the same store.
    :param mixture: of `MIXTURES`.
    :param mailboxes: how many they use.
    """
    names = [*MAILBOXES, *(f"Lists/{number}" for number in range(mailboxes))][:mailboxes]
    world = World(Random(seed), names, talk, MIXTURES[mixture])
    first = Player(world, 0, addresses[0], login)
    await first.prepare()
    players = [
        Player(world, number, addresses[number % len(addresses)], login) for number in range(1, clients + 1)
    ]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        steps = [world.chance.randint(1, STEPS) for _ in players]
        await asyncio.gather(
            *(_play(player, count, end) for player, count in zip(players, steps, strict=True))
        )
        await checkpoint(world, players)
    for player in players:
        await player.end()
    return world


async def _play(player: Player, steps: int, end: float) -> None:
    for _ in range(steps):
        if time.monotonic() > end:
            return
        await player.step()


async def checkpoint(world: World, players: Sequence[Player]) -> None:
    """All stop and look: they must know the same."""
    await asyncio.sleep(SETTLING)
    await asyncio.gather(*(player.checkpoint() for player in players))
    for name, box in world.boxes.items():
        mirrors = [
            player.mirror for player in players if player.mirror is not None and player.mirror.box is box
        ]
        if len({tuple(mirror.uids()) for mirror in mirrors}) > 1:
            world.contradiction(
                f"clients know different UIDs in {name}: {[mirror.uids() for mirror in mirrors]}"
            )
        for flags in zip(*([known.flags for known in mirror.messages] for mirror in mirrors), strict=False):
            if len(set(flags)) > 1:
                world.contradiction(f"clients know different flags in {name}: {flags}")
    world.commands["checkpoints"] += 1
    for player in players:
        player.end_of_checkpoint()


def report(world: World, where: str) -> bool:
    """Print what came of it; returns whether all is well."""
    total = sum(world.commands.values()) - world.commands["checkpoints"]
    for text in world.errors[:30]:
        print(text)
    kinds = ", ".join(f"{name} {count}" for name, count in sorted(world.commands.items()))
    print(f"{where}: {total} commands, {len(world.errors)} errors ({kinds})")
    return not world.errors


def main() -> None:
    """Read the options and go."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60, help="how long in all (default: 60)")
    parser.add_argument("--clients", type=int, default=10, help="how many (default: 10)")
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="for what they do (default: the time)"
    )
    parser.add_argument("--store", choices=("memory", "sqlite"), help="only this one (default: both)")
    parser.add_argument("--processes", type=int, default=2, help="that serve one SQLite store (default: 2)")
    parser.add_argument("--port", type=int, help="of a server that runs already")
    parser.add_argument("--host", default=HOST, help=f"of that server (default: {HOST})")
    parser.add_argument("--user", default=LOGIN[0], help=f"its account (default: {LOGIN[0]})")
    parser.add_argument("--password", default=LOGIN[1], help=f"(default: {LOGIN[1]})")
    parser.add_argument(
        "--mixture", choices=sorted(MIXTURES), default="even", help="what they do often (default: even)"
    )
    parser.add_argument(
        "--mailboxes",
        type=int,
        default=len(MAILBOXES),
        help=f"how many they use (default: {len(MAILBOXES)})",
    )
    parser.add_argument("--talk", type=int, default=0, help="print as much of what was said with each error")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    well = True
    how = given.talk, given.mixture, given.mailboxes
    if given.port:
        login = given.user, given.password
        well = report(
            asyncio.run(
                stress(given.seed, given.seconds, given.clients, [(given.host, given.port)], login, *how)
            ),
            "server",
        )
    else:
        stores = [given.store] if given.store else ["memory", "sqlite"]
        for store in stores:
            with servers(
                "memory:" if store == "memory" else "", 1 if store == "memory" else given.processes
            ) as ports:
                addresses = [(HOST, port) for port in ports]
                world = asyncio.run(
                    stress(given.seed, given.seconds / len(stores), given.clients, addresses, LOGIN, *how)
                )
            well = report(world, store) and well
    if not well:
        sys.exit(1)


if __name__ == "__main__":
    main()
