"""How fast the POP3 client retrieves messages.

Our client, whose calls are pipelined, and the standard library's poplib, turn and turn about, each in
a process of its own, from one Dovecot on this machine (Debian package dovecot-pop3d; needs root).  A
round retrieves every message of a mailbox; each client must get all of their octets.  Medians; the
ratio is what to believe, because Dovecot shares the machine's cores with what is measured.
"""

from __future__ import annotations

import json
import poplib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from _parts.dovecot import dovecot, why_not
from _parts.fairness_mail import PASSWORD, own
from _parts.program import Missing, Options, Table, expect, median_ratio, run

NAME = "alice"
LENGTH = 5000


@dataclass(frozen=True)
class Retrieved:
    """What one client has got."""

    messages: int
    octets: int
    seconds: float
    cpu: float


def with_poplib(port: int) -> Retrieved:
    """One message after the other, because poplib knows no other way."""
    client = poplib.POP3("127.0.0.1", port, timeout=60)
    client.user(NAME)
    client.pass_(PASSWORD)
    count, _ = client.stat()
    octets = 0
    began, cpu = time.perf_counter(), time.process_time()
    for number in range(1, count + 1):
        octets += client.retr(number)[2]
    done = Retrieved(count, octets, time.perf_counter() - began, time.process_time() - cpu)
    client.quit()
    return done


def with_mailproto(port: int) -> Retrieved:
    """All of them at once, as far as the client lets them."""
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred, gatherResults
    from twisted.internet.task import react

    from mailproto.auth import Password
    from mailproto.client import ServerAddress
    from mailproto.pop3 import POP3Client

    found: list[Retrieved] = []

    async def main() -> None:
        credentials = Password(NAME, PASSWORD)
        server = ServerAddress("127.0.0.1", port, tls="none", credentials=credentials)
        client = await POP3Client.open(reactor, server)
        count, _ = await client.stat()
        octets = 0

        def add(message: bytes) -> None:
            nonlocal octets
            octets += len(message)

        began, cpu = time.perf_counter(), time.process_time()
        await gatherResults([client.retr(number).addCallback(add) for number in range(1, count + 1)])
        found.append(Retrieved(count, octets, time.perf_counter() - began, time.process_time() - cpu))
        await client.quit()

    try:
        react(lambda _: Deferred.fromCoroutine(main()))
    except SystemExit as end:
        if end.code:
            raise
    return found[0]


CLIENTS: dict[str, Callable[[int], Retrieved]] = {"mailproto": with_mailproto, "poplib": with_poplib}


def in_a_process(name: str, port: int) -> Retrieved:
    """What the client ``name`` gets."""
    command = [sys.executable, __file__, "--client", name, "--port", str(port)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Retrieved(**json.loads(said))


def fill(folder: Path, messages: int) -> int:
    """Put messages into the mailbox.  :returns: their octets, with CRLF."""
    new = folder / f"mail/{NAME}/Maildir/new"
    for name in ("new", "cur", "tmp"):
        (new.parent / name).mkdir(parents=True)
    octets = 0
    for number in range(messages):
        head = f"From: bob@example.org\nSubject: {number}\n\n"
        text = head + ("x" * 70 + "\n.y\n") * ((LENGTH - len(head)) // 74)
        (new / f"{1_000_000 + number}.{number}.host").write_text(text)
        octets += len(text) + text.count("\n")
    own(folder / "mail", "mail")
    return octets


def main() -> None:
    options = Options(__doc__)
    options.add_number("rounds", 7, quick=1, help="how often each is measured")
    options.add_number("messages", 2000, quick=200, help="of the mailbox")
    options.add_argument("--client", choices=CLIENTS, help="measure one client, for this program itself")
    options.add_argument("--port", type=int, help="of a server for --client")
    given = options.parse()
    if given.client:
        print(json.dumps(vars(CLIENTS[given.client](given.port))))
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        if reason := why_not(folder):
            raise Missing(reason)
        octets = fill(folder, given.messages)
        rounds: dict[str, list[Retrieved]] = {name: [] for name in CLIENTS}
        with dovecot(folder, [NAME]) as ports:
            if "pop3" not in ports:
                raise Missing("needs the package dovecot-pop3d (apt-get install dovecot-pop3d)")
            for each in range(given.rounds + 1):
                for name, found in rounds.items():
                    got = in_a_process(name, ports["pop3"])
                    expect(f"messages of {name}", got.messages, given.messages)
                    expect(f"octets of {name}", got.octets, octets)
                    if each:  # the first one made Dovecot's index
                        found.append(got)
    table = Table(f"RETR of {given.messages:,} messages of {LENGTH:,} octets", "messages/s", "CPU us each")
    for name, found in rounds.items():
        rate = statistics.median(given.messages / each.seconds for each in found)
        cpu = statistics.median(each.cpu / given.messages for each in found) * 1e6
        table.row(f"  {name}", f"{rate:,.0f}", f"{cpu:.0f}")
    ours, theirs = ([1 / each.seconds for each in rounds[name]] for name in CLIENTS)
    table.row("  mailproto to poplib", f"{median_ratio(ours, theirs):.2f}x", "")


if __name__ == "__main__":
    run(main)
