"""How fast the whole server takes mail durably: ``python benchmarks/durable_smtp.py``.

``smtp-source`` (Debian package postfix) against ``twistd mailproto`` over SQLite, each 250
a message on disk, and turn and turn about against a server that listens already
(``--peer PORT --peer-recipient ADDRESS``: a Postfix of your own, say).  Afterwards POP3's
STAT must count every message.  Medians; believe the ratio.
"""

from __future__ import annotations

import argparse
import poplib
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from smtp_server import await_greeting, free_port, tool

ACCOUNT, PASSWORD = "alice@localhost", "secret"


def send(port: int, recipient: str, messages: int, sessions: int) -> float:
    """Messages a second."""
    command = [tool("smtp-source"), "-d", "-s", str(sessions), "-m", str(messages), "-l", "5120"]
    began = time.perf_counter()
    subprocess.run([*command, "-f", "bob@example.org", "-t", recipient, f"127.0.0.1:{port}"], check=True)
    return messages / (time.perf_counter() - began)


def count(port: int) -> int:
    """Messages in the INBOX."""
    maildrop = poplib.POP3("127.0.0.1", port, timeout=60)
    maildrop.user(ACCOUNT)
    maildrop.pass_(PASSWORD)
    number, _ = maildrop.stat()
    maildrop.quit()
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--peer", type=int, metavar="PORT")
    parser.add_argument("--peer-recipient", default="root@localhost")
    given = parser.parse_args()
    smtp, pop3 = free_port(), free_port()
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        twistd = str(Path(sys.executable).parent / "twistd")
        command = [twistd, "-n", "--pidfile=", "mailproto", "--data", f"{folder}/data"]
        command += ["--account", f"{ACCOUNT}:{PASSWORD}"]
        command += ["--smtp", f"tcp:{smtp}:interface=127.0.0.1", "--pop3", f"tcp:{pop3}:interface=127.0.0.1"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            await_greeting(pop3)
            for _ in range(given.rounds):
                ours.append(send(smtp, ACCOUNT, given.messages, given.sessions))
                if given.peer:
                    fewer = given.messages // 5
                    theirs.append(send(given.peer, given.peer_recipient, fewer, given.sessions))
            kept = count(pop3)
        finally:
            server.terminate()
            server.wait()
    if kept != given.rounds * given.messages:
        sys.exit(f"{given.rounds * given.messages} messages were taken, {kept} are there")
    print(f"mailproto: {statistics.median(ours):,.0f} messages/s ({min(ours):,.0f} to {max(ours):,.0f})")
    if theirs:
        print(f"the peer:  {statistics.median(theirs):,.0f} messages/s")
        ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
        print(f"ratio:     {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
