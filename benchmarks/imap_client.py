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

Each client must get the same.  Medians; the ratio is what to believe, because Dovecot shares the machine's
cores with what is measured.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _parts.dovecot import dovecot, why_not
from _parts.fairness_mail import own
from _parts.imap_clients import CLIENTS, NAME, WORKS, Got, Job
from _parts.letters import letters
from _parts.program import Missing, Options, Table, expect, median_ratio, optional_module, run


def in_a_process(name: str, work: str, port: int, number: int) -> Got:
    """What the client ``name`` gets."""
    command = [sys.executable, __file__, "--client", name, "--port", str(port), "--work", work]
    said = subprocess.run([*command, "--number", str(number)], check=True, stdout=subprocess.PIPE, text=True)
    return Got(**json.loads(said.stdout))


def fill(folder: Path, messages: int) -> int:
    """Put messages into the mailbox.  :returns: their octets, with CRLF."""
    maildir = folder / f"mail/{NAME}/Maildir"
    for made in (maildir, maildir / ".Target"):
        for name in ("new", "cur", "tmp"):
            (made / name).mkdir(parents=True)
    (maildir / "subscriptions").write_text("Target\n")
    octets = 0
    for number, letter in enumerate(letters(messages)):
        octets += len(letter.octets)
        (maildir / f"cur/{1_000_000 + number}.{number}.host:2,S").write_bytes(
            letter.octets.replace(b"\r\n", b"\n")
        )
    own(folder / "mail", "mail")
    return octets


def main() -> None:
    options = Options(__doc__)
    options.add_number("rounds", 5, quick=1, help="how often each is measured")
    options.add_number("messages", 10_000, quick=200, help="of the mailbox")
    options.add_number("appends", 1000, quick=50, help="messages to append")
    options.add_argument("--work", choices=WORKS, help="measure only this row")
    options.add_argument("--client", choices=CLIENTS, help="measure one client, for this program itself")
    options.add_argument("--port", type=int, help="of a server for --client")
    options.add_argument("--number", type=int, help="of messages for --client")
    given = options.parse()
    if given.client:
        messages = [each.octets for each in letters(given.number)] if given.work == "appends" else ()
        print(json.dumps(vars(CLIENTS[given.client](Job(given.port, given.work, given.number, messages)))))
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        if reason := why_not(folder):
            raise Missing(reason)
        octets = fill(folder, given.messages)
        peers = ["imaplib", *(name for name in ("imapclient", "aioimaplib") if optional_module(name))]
        with dovecot(folder, [NAME]) as ports:
            in_a_process("mailproto", "envelopes", ports["imap"], 1)  # makes Dovecot's index
            for work in [given.work] if given.work else WORKS:
                measure(work, peers, ports["imap"], given, octets)


def measure(work: str, peers: list[str], port: int, given: object, octets: int) -> None:
    """Measure one row of each client, and print it."""
    number = given.appends if work == "appends" else given.messages  # type: ignore[attr-defined]
    names = ["mailproto", *peers]
    if work == "appends":
        names[1:1] = [
            "mailproto, one APPEND each",
            *(["imapclient, multiappend"] if "imapclient" in peers else []),
        ]
    rounds: dict[str, list[Got]] = {name: [] for name in names}
    check = octets if work == "bodies" else None
    for _ in range(given.rounds):  # type: ignore[attr-defined]
        for name, found in rounds.items():
            got = in_a_process(name, work, port, number)
            expect(f"messages of {name}", got.messages, number)
            check = got.check if check is None else check
            expect(f"octets of {name}", got.check, check)
            found.append(got)
    table = Table(f"{work}: {number:,} messages", "messages/s", "CPU us each", "memory MB")
    for name, found in rounds.items():
        rate = statistics.median(number / each.seconds for each in found)
        cpu = statistics.median(each.cpu / number for each in found) * 1e6
        memory = statistics.median(each.memory for each in found) / 1e6
        table.row(f"  {name}", f"{rate:,.0f}", f"{cpu:.0f}", f"{memory:.0f}")
    best = max(peers, key=lambda name: statistics.median(1 / each.seconds for each in rounds[name]))
    for name in names[: names.index("imaplib")]:  # all but the peers
        ours, theirs = ([1 / each.seconds for each in rounds[each]] for each in (name, best))
        table.row(f"  {name} to {best}", f"{median_ratio(ours, theirs):.2f}x", "", "")


if __name__ == "__main__":
    run(main)
