"""What a large mailbox costs its owner, and everybody else.

A server as operators start it has one account whose INBOX is filled first, with messages of one size.
While that account's sessions give costly commands, two others, in processes of their own, say NOOP and
deliver a message (LMTP) again and again: the longest of either is what the command cost them.
Then the server is killed amid an EXPUNGE and started again.  The disk is that of FOLDER.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from _parts.processes import free_port, running, twistd
from _parts.program import Options, Table, WrongAnswer, expect, run

ALICE, BOB = "alice@example.org", "bob@example.org"
PASSWORD = "secret"
SINCE = 1_780_000_000
"""The internal date of the second half of INBOX."""


def example(number: int, size: int) -> bytes:
    """A message of exactly ``size`` octets, with the header of an ordinary one."""
    head = (
        f"Received: from mx{number % 97}.example.net (mail.example.net [192.0.2.{number % 250}])\r\n"
        f"\tby mail.example.org with ESMTPS id {number:012}; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
        f"Message-ID: <{number}.{number * 7919 % 1000003}@mail.example.net>\r\n"
        f"Date: Mon, 1 Jan 2024 00:{number // 60 % 60:02}:{number % 60:02} +0000\r\n"
        f"From: Sender {number} <sender{number}@example.net>\r\nTo: Alice <{ALICE}>\r\n"
        f"Subject: Message {number} about things\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    line = "The quick brown fox jumps over the lazy dog, again and again.\r\n"
    return (head + line * (size // len(line) + 1))[: size - 2].encode() + b"\r\n"


# -- the store, filled in a process of its own


def fill(folder: str, messages: int, size: int) -> None:
    """Make the store: its INBOX has ``messages``, half of them older than `SINCE`, all seen but ten."""
    from twisted.internet import reactor, task
    from twisted.internet.defer import ensureDeferred

    from mailproto.auth import hash_password
    from mailproto.backends import SQLiteStore
    from mailproto.model import SEEN, NewMessage

    async def main() -> None:
        store = SQLiteStore(f"{folder}/mail", reactor=reactor)
        await store.start()
        for name in (ALICE, BOB):
            await store.directory.add(name, hash_password(PASSWORD))
        inbox = await (await store.account(ALICE)).open("INBOX")
        for first in range(0, messages, 500):
            await inbox.append(
                [
                    NewMessage(
                        example(number, size),
                        frozenset({SEEN} if number < messages - 10 else ()),
                        SINCE - (number < messages // 2),
                    )
                    for number in range(first, min(first + 500, messages))
                ]
            )
        await store.stop()

    task.react(lambda _: ensureDeferred(main()))


# -- clients

_END = re.compile(rb"(?:\A|\r\n)tag ([A-Z]+)[^\r\n]*\r\n\Z")


class Client:
    """A blocking IMAP client."""

    def __init__(self, port: int, account: str = ALICE, mailbox: str | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.recv(4096)
        self.command(f"LOGIN {account} {PASSWORD}")
        if mailbox is not None:
            self.command(f"SELECT {mailbox}")

    def send(self, command: str) -> None:
        """Give a command."""
        self.socket.sendall(f"tag {command}\r\n".encode())

    def answer(self) -> bytes:
        """All that is answered.

        :raises WrongAnswer: when it is not OK.
        """
        pieces, tail = [], b""
        while True:
            data = self.socket.recv(1 << 18)
            if not data:
                raise WrongAnswer("the server hung up")
            pieces.append(data)
            tail = (tail + data)[-1 << 12 :]
            if tail.endswith(b"\r\n") and (
                ended := re.search(rb"(?:\A|\r\n)tag ([A-Z]+)[^\r\n]*\r\n\Z", tail)
            ):
                expect(f"answer {ended[0][:100]!r}", ended[1], b"OK")
                return b"".join(pieces)

    def command(self, command: str) -> bytes:
        """Give a command; all that is answered."""
        self.send(command)
        return self.answer()

    def timed(self, command: str) -> tuple[float, bytes]:
        """Milliseconds until it was answered, and what was."""
        began = time.perf_counter()
        answer = self.command(command)
        return (time.perf_counter() - began) * 1000, answer


class Delivery:
    """A blocking LMTP client with one message."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lines = self.socket.makefile("rb")
        self.reply()
        self.say("LHLO localhost")

    def reply(self) -> bytes:
        while (line := self.lines.readline())[3:4] == b"-":
            pass
        return line

    def say(self, line: str) -> bytes:
        self.socket.sendall(line.encode() + b"\r\n")
        return self.reply()

    def deliver(self) -> None:
        """One message, for Bob.

        :raises WrongAnswer: when it is not taken.
        """
        self.socket.sendall(f"MAIL FROM:<x@example.net>\r\nRCPT TO:<{BOB}>\r\nDATA\r\n".encode())
        replies = [self.reply(), self.reply(), self.reply()]
        self.socket.sendall(b"Subject: hello\r\n\r\nhello\r\n.\r\n")
        replies.append(self.reply())
        expect(f"replies {replies}", [reply[:3] for reply in replies], [b"250", b"250", b"354", b"250"])


class Prober:
    """Somebody else: does one thing again and again in another process, and remembers the longest."""

    def __init__(self, make: Callable[[], Callable[[], object]]) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=self._run, args=(make, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._answer()

    @staticmethod
    def _run(make: Callable[[], Callable[[], object]], pipe: Any) -> None:
        act = make()
        pipe.send("ready")
        longest, count, total = 0.0, 0, 0
        while True:
            began = time.perf_counter()
            act()
            longest, count, total = max(longest, time.perf_counter() - began), count + 1, total + 1
            if pipe.poll():
                if pipe.recv() == "end":
                    pipe.send(total)
                    return
                pipe.send((longest * 1000, count))
                longest, count = 0.0, 0
            time.sleep(0.002)

    def longest(self) -> float:
        """Milliseconds of the longest since the last call."""
        self._pipe.send("look")
        found: tuple[float, int] = self._answer()
        return found[0]

    def end(self) -> int:
        """How often it was done."""
        self._pipe.send("end")
        count: int = self._answer()
        self._process.join()
        return count

    def _answer(self) -> Any:
        try:
            return self._pipe.recv()
        except EOFError:
            raise WrongAnswer("a session beside was refused something") from None


def delivers(port: int) -> Callable[[], object]:
    """What a prober does: one delivery."""
    return Delivery(port).deliver


def says_noop(port: int) -> Callable[[], object]:
    """What a prober does: one NOOP, in a mailbox of its own."""
    client = Client(port, BOB, "Sent")
    return lambda: client.command("NOOP")


def pop3_login(port: int) -> bytes:
    """Sign in as Alice: the greeting of her maildrop."""
    with socket.create_connection(("127.0.0.1", port), 120) as connection:
        lines = connection.makefile("rb")
        lines.readline()
        for line in (f"USER {ALICE}", f"PASS {PASSWORD}", "STAT"):
            connection.sendall(line.encode() + b"\r\n")
            reply = lines.readline()
        return reply


# -- the server


@contextmanager
def serving(folder: str) -> Any:
    """The server, and its ports: IMAP, LMTP, POP3."""
    imap, lmtp, pop3 = free_port(), free_port(), free_port()
    command = [
        *twistd(),
        "mailproto",
        f"--data={folder}",
        "--domain=example.org",
        f"--imap=tcp:{imap}:interface=127.0.0.1",
        f"--lmtp=tcp:{lmtp}:interface=127.0.0.1",
        f"--pop3=tcp:{pop3}:interface=127.0.0.1",
        *(f"--{name}=tcp:{free_port()}:interface=127.0.0.1" for name in ("smtp", "submission")),
        "--limit=imap.connections_per_peer=1000",
    ]
    with running("the server", command, imap, wait=120) as server:
        yield server, imap, lmtp, pop3


class Benchmark:
    """The table that grows."""

    def __init__(self, folder: str, given: Any) -> None:
        self._folder = folder
        self._messages: int = given.messages
        self._size: int = given.size
        self._rounds: int = given.rounds
        self._table = Table(
            f"{self._messages:,} messages of {self._size:,} octets", "ms", "longest NOOP", "longest delivery"
        )

    def run(self) -> None:
        """Measure everything."""
        filling = [sys.executable, __file__, "--fill", self._folder, "--messages", str(self._messages)]
        subprocess.run([*filling, "--size", str(self._size)], check=True)
        with serving(self._folder) as (_, imap, lmtp, pop3):
            self._probers = [Prober(lambda: says_noop(imap)), Prober(lambda: delivers(lmtp))]
            time.sleep(0.5)
            self._reading(imap, pop3)
            self._changing(imap)
            count = self._probers.pop().end()
            self._probers.pop().end()
            status = Client(imap, BOB).command("STATUS INBOX (MESSAGES)")
            expect("messages delivered", int(re.findall(rb"MESSAGES (\d+)", status)[0]), count)
        self._disk()
        self._killing()

    def _beside(self) -> list[float]:
        return [prober.longest() for prober in self._probers]

    def _row(self, name: str, milliseconds: float) -> None:
        self._table.row(name, *(f"{each:,.0f}" for each in (milliseconds, *self._beside())))

    def _measure(self, client: Client, command: str, rounds: int = 1) -> bytes:
        self._beside()
        found = [client.timed(command) for _ in range(rounds)]
        self._row(command, median(milliseconds for milliseconds, _ in found))
        return found[-1][1]

    def _reading(self, imap: int, pop3: int) -> None:
        count = self._messages
        client = Client(imap)
        self._measure(client, "NOOP", 200)
        answer = self._measure(client, "SELECT INBOX", self._rounds)
        expect("messages in INBOX", int(re.findall(rb"\* (\d+) EXISTS", answer)[0]), count)
        expect("the first unseen", int(re.findall(rb"\[UNSEEN (\d+)\]", answer)[0]), count - 9)
        clients = [Client(imap) for _ in range(10)]
        self._beside()
        began = time.perf_counter()
        for each in clients:
            each.send("SELECT INBOX")
        answers = [each.answer() for each in clients]
        self._row("SELECT INBOX of ten sessions at once", (time.perf_counter() - began) * 1000)
        expect("ten SELECTs", [b"%d EXISTS" % count in answer for answer in answers], [True] * 10)
        found = self._measure(client, "SEARCH UNSEEN", self._rounds)
        expect("unseen messages", len(found.split(b"\r\n")[0].split()) - 2, 10)
        day = time.strftime("%d-%b-%Y", time.gmtime(SINCE + 86_400))
        found = self._measure(client, f"SEARCH SINCE {day}", self._rounds)
        expect(f"messages since {day}", found.split(b"\r\n")[0], b"* SEARCH")
        self._beside()
        began = time.perf_counter()
        replies = [pop3_login(pop3) for _ in range(self._rounds)]
        self._row("POP3 login", (time.perf_counter() - began) * 1000 / self._rounds)
        expect("STAT", replies[-1].split()[1:3], [b"%d" % count, b"%d" % (count * self._size)])
        self._measure(client, "STORE 1:* +FLAGS.SILENT ($Work)")
        self._beside()
        began = time.perf_counter()
        for each in clients:
            each.send("NOOP")
        told = [each.answer().count(b"$Work)") for each in clients]
        self._row("NOOP of ten sessions after that", (time.perf_counter() - began) * 1000)
        expect("what ten sessions are told", [each - 1 for each in told], [count] * 10)

    def _changing(self, imap: int) -> None:
        client = Client(imap, mailbox="INBOX")
        half = self._messages // 2
        for name in ("Copies", "Moved", "Gone"):
            client.command(f"CREATE {name}")
        self._measure(client, f"COPY 1:{half} Copies")
        self._measure(client, f"COPY 1:{half} Gone")
        self._measure(client, "EXPUNGE")
        self._measure(client, f"STORE 1:{half} +FLAGS.SILENT (\\Deleted)")
        self._measure(client, "DELETE Gone")
        gone = self._measure(client, "EXPUNGE")
        expect("messages expunged", gone.count(b"EXPUNGE\r\n"), half)
        rest = self._messages - half
        self._measure(client, "MOVE 1:* Moved")
        client.command("SELECT Copies")
        client.command("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        self._measure(client, "CLOSE")
        self._beside()
        began = time.perf_counter()
        time.sleep(1)
        self._row("the second after that, when bodies go", (time.perf_counter() - began) * 1000)
        for name, expected in (("INBOX", 0), ("Copies", 0), ("Moved", rest)):
            status = client.command(f"STATUS {name} (MESSAGES)")
            expect(f"messages in {name}", re.findall(rb"MESSAGES (\d+)", status), [b"%d" % expected])
        self._measure(client, "DELETE Moved")

    def _killing(self) -> None:
        """Kill the server amid an EXPUNGE; start it again, and see that all of it is done or nothing."""
        folder = self._folder + "-killed"
        filling = [sys.executable, __file__, "--fill", folder, "--messages", str(self._messages)]
        subprocess.run([*filling, "--size", "500"], check=True)
        half = self._messages // 2
        with suppressed_end(), serving(folder) as (server, imap, _, _):
            client = Client(imap, mailbox="INBOX")
            client.command(f"STORE 1:{half} +FLAGS.SILENT (\\Deleted)")
            client.send("EXPUNGE")
            time.sleep(min(0.3, half / 500_000))
            os.kill(server.pid, signal.SIGKILL)
        began = time.perf_counter()
        with serving(folder) as (_, imap, _, _):
            self._table.row(
                "start after kill -9 amid EXPUNGE", f"{(time.perf_counter() - began) * 1000:,.0f}"
            )
            client = Client(imap)
            end = time.monotonic() + 60
            counts = [0]
            while counts[-1] not in {self._messages, self._messages - half} and time.monotonic() < end:
                status = client.command("STATUS INBOX (MESSAGES)")
                counts.append(int(re.findall(rb"MESSAGES (\d+)", status)[0]))
                time.sleep(0.01)
            self._table.row("until all or none of it is done", f"{(time.perf_counter() - began) * 1000:,.0f}")
            expect("messages after the kill", counts[-1] in {self._messages, self._messages - half}, True)

    def _disk(self) -> None:
        folder = self._folder + "-fresh"
        filling = [sys.executable, __file__, "--fill", folder, "--messages", str(self._messages)]
        subprocess.run([*filling, "--size", str(self._size)], check=True)
        octets = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.suffix == ".sqlite3")
        ratio = octets / (self._messages * self._size)
        self._table.row("octets on disk for each octet of mail", f"{ratio:.2f}")


@contextmanager
def suppressed_end() -> Any:
    """The server is killed: that it ended is no wrong answer."""
    try:
        yield
    except WrongAnswer as error:
        if "ended with -9" not in str(error):
            raise


def main() -> None:
    """Fill a store, start the server, measure, kill, measure."""
    options = Options(__doc__)
    options.add_argument("folder", nargs="?", default=".", help="where the stores are made")
    options.add_number("messages", 300_000, quick=3000, help="in INBOX")
    options.add_number("size", 2048, quick=2048, help="of a message, in octets")
    options.add_number("rounds", 3, quick=1, help="how often what only reads is measured")
    options.add_argument("--fill", metavar="FOLDER", help="only make such a store in FOLDER")
    given = options.parse()
    if given.messages < 40:
        options.error("--messages: at least 40")
    if given.size < 500:
        options.error("--size: at least 500")
    if given.fill:
        fill(given.fill, given.messages, given.size)
        return
    with tempfile.TemporaryDirectory(prefix="growth-benchmark-", dir=given.folder) as folder:
        Benchmark(str(Path(folder) / "store"), given).run()


if __name__ == "__main__":
    run(main)
