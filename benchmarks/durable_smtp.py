"""How fast the whole server takes mail durably.

``smtp-source`` (Debian package postfix) against ``twistd mailproto`` over SQLite, each 250
a message on disk, and turn and turn about against a server that listens already
(``--peer PORT --peer-recipient ADDRESS``: a Postfix of your own, say).  Afterwards POP3's
STAT must count every message.  Medians; believe the ratio.
"""

from __future__ import annotations

import poplib
import statistics
import subprocess
import tempfile
import time

from _parts.processes import free_port, running, twistd
from _parts.program import Options, Table, expect, median_ratio, needed_tool, run

ACCOUNT, PASSWORD = "alice@localhost", "secret"
LENGTH = 5120


def send(source: str, port: int, recipient: str, messages: int, sessions: int) -> float:
    """Messages a second."""
    command = [source, "-d", "-s", str(sessions), "-m", str(messages), "-l", str(LENGTH)]
    began = time.perf_counter()
    subprocess.run([*command, "-f", "bob@example.org", "-t", recipient, f"127.0.0.1:{port}"], check=True)
    return messages / (time.perf_counter() - began)


def check(port: int, messages: int) -> None:
    """Fail unless that many whole messages are in the INBOX."""
    maildrop = poplib.POP3("127.0.0.1", port, timeout=60)
    maildrop.user(ACCOUNT)
    maildrop.pass_(PASSWORD)
    number, octets = maildrop.stat()
    expect("messages in the INBOX", number, messages)
    expect(f"octets in the INBOX, {octets:,}, are enough", octets >= messages * LENGTH, True)
    _, lines, _ = maildrop.retr(messages)
    expect("the last message was sent by", b"From: <bob@example.org>" in lines, True)
    maildrop.quit()


def main() -> None:
    options = Options(__doc__)
    options.add_number("rounds", 5, quick=2, help="how often each is measured")
    options.add_number("messages", 20_000, quick=500, help="of a round")
    options.add_number("sessions", 20, quick=20, help="connections of smtp-source")
    options.add_argument("--peer", type=int, metavar="PORT", help="of a server to compare with")
    options.add_argument("--peer-recipient", default="root@localhost", help="whom it takes mail for")
    given = options.parse()
    source = needed_tool("smtp-source", "postfix")
    smtp, pop3 = free_port(), free_port()
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        command = [*twistd(), "mailproto", "--data", f"{folder}/data"]
        command += ["--account", f"{ACCOUNT}:{PASSWORD}"]
        command += ["--smtp", f"tcp:{smtp}:interface=127.0.0.1", "--pop3", f"tcp:{pop3}:interface=127.0.0.1"]
        with running("mailproto", command, pop3):
            for _ in range(given.rounds):
                ours.append(send(source, smtp, ACCOUNT, given.messages, given.sessions))
                if given.peer:
                    fewer = max(given.messages // 5, given.sessions)
                    theirs.append(send(source, given.peer, given.peer_recipient, fewer, given.sessions))
            check(pop3, given.rounds * given.messages)
    table = Table(
        f"{LENGTH:,} octets, {given.sessions} sessions kept open", "messages/s", "slowest", "fastest"
    )
    for name, rates in (("mailproto", ours), ("the peer", theirs)):
        if rates:
            table.row(
                f"  {name}", f"{statistics.median(rates):,.0f}", f"{min(rates):,.0f}", f"{max(rates):,.0f}"
            )
    if theirs:
        table.row("  mailproto to the peer", f"{median_ratio(ours, theirs):.2f}x")


if __name__ == "__main__":
    run(main)
