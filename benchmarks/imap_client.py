"""How fast the IMAP client reads and appends messages.

Our client beside the standard library's imaplib, IMAPClient (``pip install imapclient``) and aioimaplib
(``pip install aioimaplib``), turn and turn about, each in a process of its own, with one Dovecot on this
machine (Debian package dovecot-imapd; needs root).  Rows:

- envelopes: FETCH of all messages' ENVELOPE, of which each message's Message-ID and authors are used.
  Our client and IMAPClient read it.  imaplib and aioimaplib do not, so they fetch the same fields, and the
  standard library's ``email`` reads them: as programs do that use them.
- bodies: FETCH of all messages.
- appends: APPEND of messages to another mailbox, one command each for the peers, as their `append` does it.
  Our client's `append` sends all as one command (MULTIAPPEND), as IMAPClient's `multiappend` does; there
  are rows of that, and of our client with a command each.
- "the server alone": a socket that asks for the same and looks at nothing.  No client can be faster.

Each client must get the same.  Medians, by the clock and in processor time: of the client, and of Dovecot,
each for a message.  Where the server's is nearly all of the time that passes, only the client's processor
time tells clients apart.  Dovecot keeps its mail as mdbox, which it reads fastest, and in memory (Linux's
/dev/shm): on a disk, each APPEND waits until it is written, which takes all of the time.
"""

from __future__ import annotations

import imaplib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _parts.dovecot import started, why_not
from _parts.fairness_mail import PASSWORD
from _parts.imap_clients import CLIENTS, NAME, SERVER, WORKS, Got, Job
from _parts.letters import letters
from _parts.processes import Server, cpu_seconds_below
from _parts.program import Missing, Options, Table, expect, median_ratio, optional_module, run

MEMORY = Path("/dev/shm")
MULTIAPPEND = "imapclient, multiappend"


def in_a_process(name: str, work: str, port: int, number: int) -> Got:
    """What the client ``name`` gets."""
    command = [sys.executable, __file__, "--client", name, "--port", str(port), "--work", work]
    said = subprocess.run([*command, "--number", str(number)], check=True, stdout=subprocess.PIPE, text=True)
    return Got(**json.loads(said.stdout))


@dataclass
class Round:
    """One turn of a client.

    :ivar server: Dovecot's processor time.
    """

    got: Got
    server: float


def main() -> None:
    options = Options(__doc__)
    options.add_number("rounds", 3, quick=1, help="how often each is measured")
    options.add_number("seconds", 10, quick=10, help="after which a client is not measured again for a row")
    options.add_number("messages", 10_000, quick=200, help="of the mailbox")
    options.add_number("appends", 1000, quick=50, help="messages to append")
    options.add_argument(
        "--disk", action="store_true", help="keep the mail on a disk, which syncs each APPEND"
    )
    options.add_argument("--form", choices=("mdbox", "sdbox", "Maildir"), default="mdbox", help="of the mail")
    options.add_argument("--work", choices=WORKS, help="measure only this row")
    options.add_argument("--client", choices=CLIENTS, help="measure one client, for this program itself")
    options.add_argument("--port", type=int, help="of a server for --client")
    options.add_argument("--number", type=int, help="of messages for --client")
    given = options.parse()
    if given.client:
        messages = [each.octets for each in letters(given.number)] if given.work == "appends" else ()
        print(json.dumps(vars(CLIENTS[given.client](Job(given.port, given.work, given.number, messages)))))
        return
    in_memory = None if given.disk or not MEMORY.is_dir() else MEMORY
    with tempfile.TemporaryDirectory(dir=in_memory) as made:
        folder = Path(made)
        folder.chmod(0o755)
        if reason := why_not(folder):
            raise Missing(reason)
        (folder / "mail" / NAME).mkdir(parents=True)
        peers = ["imaplib", *(name for name in ("imapclient", "aioimaplib") if optional_module(name))]
        with started(folder, [NAME], f"{{PLAIN}}{PASSWORD}", form=given.form) as (server, ports):
            in_a_process("fill", "appends", ports["imap"], given.messages)
            in_a_process(SERVER, "envelopes", ports["imap"], 1)  # makes Dovecot's index
            for work in [given.work] if given.work else WORKS:
                measure(work, peers, server, given)


def measure(work: str, peers: list[str], server: Server, given: Any) -> None:
    """Measure one row of each client, and print it."""
    number = given.appends if work == "appends" else given.messages
    names = ["mailproto", *peers, SERVER]
    if work == "appends":
        names[1:] = [
            "mailproto, one APPEND each",
            *([MULTIAPPEND] if "imapclient" in peers else []),
            *peers,
        ]
    rounds: dict[str, list[Round]] = {name: [] for name in names}
    check = sum(len(each.octets) for each in letters(number)) if work != "envelopes" else None
    for _ in range(given.rounds):
        for name, found in rounds.items():
            if sum(each.got.seconds for each in found) > given.seconds:
                continue
            kept = appended(server.port) if work == "appends" else 0
            before = cpu_seconds_below(server.pid)
            got = in_a_process(name, work, server.port, number)
            time.sleep(0.05)  # until the process that has served it has ended
            served = cpu_seconds_below(server.pid) - before
            if work == "appends":
                expect(f"messages appended by {name}", appended(server.port) - kept, number)
            expect(f"messages of {name}", got.messages, number)
            if name != SERVER:
                check = got.check if check is None else check
                expect(f"octets of {name}", got.check, check)
            found.append(Round(got, served))
    show(f"{work}: {number:,} messages", number, peers, rounds)


def appended(port: int) -> int:
    """How many messages are in the mailbox to which they are appended."""
    with imaplib.IMAP4("127.0.0.1", port, timeout=120) as client:
        client.login(NAME, PASSWORD)
        [said] = client.status("Target", "(MESSAGES)")[1]
        return int(said.rpartition(b" ")[2].strip(b")"))


def show(title: str, number: int, peers: list[str], rounds: dict[str, list[Round]]) -> None:
    """Print medians, and what ours are to the best peer's."""
    table = Table(
        title, "messages/s", "us each", "its CPU us", "server's us", "memory MB", "rounds", least=10
    )
    seconds = {name: [each.got.seconds / number * 1e6 for each in found] for name, found in rounds.items()}
    cpu = {name: [each.got.cpu / number * 1e6 for each in found] for name, found in rounds.items()}
    for name, found in rounds.items():
        each, own = statistics.median(seconds[name]), statistics.median(cpu[name])
        served = statistics.median(one.server / number for one in found) * 1e6
        memory = statistics.median(one.got.memory for one in found) / 1e6
        table.row(
            f"  {name}",
            f"{1e6 / each:,.0f}",
            f"{each:,.1f}",
            f"{own:,.1f}",
            f"{served:,.0f}",
            f"{memory:.0f}",
            str(len(found)),
        )
    for name in rounds:
        if name.startswith("mailproto"):
            table.row(f"  {name} to the best", "", *(ratio(kind, name, peers) for kind in (seconds, cpu)))
    if MULTIAPPEND in rounds:
        figures = [ratio(kind, "mailproto", [MULTIAPPEND]) for kind in (seconds, cpu)]
        table.row(f"  mailproto to {MULTIAPPEND}", "", *figures)


def ratio(figures: dict[str, list[float]], name: str, others: list[str]) -> str:
    """How many times as quick ``name`` is as the best of ``others``."""
    best = min(others, key=lambda other: statistics.median(figures[other]))
    both = min(len(figures[name]), len(figures[best]))
    return f"{median_ratio(figures[best][:both], figures[name][:both]):.2f}x"


if __name__ == "__main__":
    run(main)
