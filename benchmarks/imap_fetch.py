"""What an IMAP server over SQLite does in a second, and what an idle connection costs.

A server is started as a process of its own, on a free port of 127.0.0.1, with one account
whose INBOX is filled first.  Each figure is the best of some runs; the client only reads.
Afterwards Python's imaplib looks at what the server has, and at what it answers.
"""

from __future__ import annotations

import argparse
import imaplib
import re
import socket
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

from _parts.processes import Server, cpu_seconds, free_port, memory, running
from _parts.program import Options, Table, WrongAnswer, expect, run

ACCOUNT = "alice@example.org"
METADATA = b"(UID FLAGS ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE)"


def example(number: int, size: int) -> bytes:
    """A message in three parts, as people send them."""
    head = (
        f"Return-Path: <sender{number}@example.net>\r\n"
        f"Received: from mail.example.net by mail.example.org; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
        f"Date: Mon, 1 Jan 2024 00:{number // 60 % 60:02}:{number % 60:02} +0000\r\n"
        f'From: "Sender {number}" <sender{number}@example.net>\r\n'
        f"To: Alice <{ACCOUNT}>\r\n"
        f"Cc: Bob <bob@example.org>, carol@example.com\r\n"
        f"Subject: Message {number} about things\r\n"
        f"Message-ID: <{number}.abc@example.net>\r\n"
        "MIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="=_bound"\r\n\r\n'
        "--=_bound\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        f"Hello Alice,\r\nthis is number {number}{' with a needle' if number % 500 == 0 else ''}.\r\n"
        "--=_bound\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hello Alice</p>\r\n"
        '--=_bound\r\nContent-Type: text/plain; name="log.txt"\r\n'
        "Content-Disposition: attachment; filename=log.txt\r\n\r\n"
    )
    line = "The quick brown fox jumps over the lazy dog, again and again and so on.\r\n"
    return (head + line * ((size - len(head)) // len(line)) + "--=_bound--\r\n").encode()


def serve(folder: str, port: int, messages: int, size: int) -> None:
    """Fill a store, then serve it."""
    from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
    from twisted.cred.portal import Portal
    from twisted.internet import epollreactor

    epollreactor.install()
    from twisted.internet import reactor as installed
    from twisted.internet.defer import ensureDeferred
    from twisted.python import log

    from mailproto.auth import StoreRealm
    from mailproto.backends import SQLiteStore
    from mailproto.imap import IMAPServerFactory
    from mailproto.imap.limits import IMAPLimits
    from mailproto.model import NewMessage

    reactor: Any = installed

    async def start() -> None:
        store = SQLiteStore(folder, reactor=reactor)
        await store.start()
        if not await store.directory.names():
            await store.directory.add(ACCOUNT, "")
        inbox = await (await store.account(ACCOUNT)).open("INBOX")
        filled = (await inbox.status()).messages
        for first in range(filled, messages, 500):
            numbers = range(first, min(first + 500, messages))
            await inbox.append([NewMessage(example(number, size)) for number in numbers])
        checker = InMemoryUsernamePasswordDatabaseDontUse()
        checker.users = {ACCOUNT.encode(): b"secret"}
        factory = IMAPServerFactory(
            Portal(StoreRealm(store), [checker]),
            clock=reactor,
            hostname="localhost",
            limits=IMAPLimits(connections_per_peer=10_000),
        )
        reactor.listenTCP(port, factory, interface="127.0.0.1", backlog=1000)

    def failed(failure: object) -> None:
        log.err(failure)
        reactor.stop()

    log.startLogging(sys.stderr, setStdout=False)
    ensureDeferred(start()).addErrback(failed)
    reactor.run()


class Client:
    """A blocking client."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.recv(4096)
        self.command(b"LOGIN %b secret" % ACCOUNT.encode())

    def command(self, command: bytes) -> tuple[int, bytes]:
        """Give a command; how many octets came, and the last of them.

        :raises WrongAnswer: when the answer is not OK.
        """
        self.socket.sendall(b"tag " + command + b"\r\n")
        total, tail = 0, b""
        ended = re.compile(rb"(?:\A|\r\n)tag (OK|NO|BAD)[^\r\n]*\r\n\Z")
        while True:
            data = self.socket.recv(1 << 17)
            if not data:
                raise WrongAnswer(f"the server hung up after {command!r}")
            total += len(data)
            tail = (tail + data)[-4096:]
            if tail.endswith(b"\r\n") and (match := ended.search(tail)):
                if match[1] != b"OK":
                    raise WrongAnswer(f"{command!r} was answered with {match[0].strip()!r}")
                return total, tail


def best(client: Client, pid: int, commands: Iterable[bytes], rounds: int) -> tuple[float, float, int]:
    """(seconds, processor seconds, octets) of the best round of all the commands."""
    results = []
    commands = list(commands)
    for _ in range(rounds):
        cpu, began = cpu_seconds(pid), time.perf_counter()
        octets = sum(client.command(command)[0] for command in commands)
        results.append((time.perf_counter() - began, cpu_seconds(pid) - cpu, octets))
    return min(results)


def table(title: str, *headings: str) -> Table:
    """One of those that are printed."""
    return Table(title, *headings, width=40)


def measure(port: int, pid: int, given: argparse.Namespace) -> None:
    """Print what commands cost."""
    client = Client(port)
    messages, rounds = given.messages, given.rounds
    began = time.perf_counter()
    client.command(b"SELECT INBOX")
    selected = time.perf_counter() - began
    fetches = table("FETCH", "messages/s", "MB/s", "server's CPU s")
    for name, command in (
        ("FETCH metadata", b"FETCH 1:* " + METADATA),
        ("FETCH FLAGS", b"FETCH 1:* (UID FLAGS)"),
        ("FETCH BODY.PEEK[]", b"FETCH 1:* (UID BODY.PEEK[])"),
        ("FETCH BODY.PEEK[HEADER]", b"FETCH 1:* (UID BODY.PEEK[HEADER])"),
    ):
        seconds, cpu, octets = best(client, pid, [command], rounds)
        fetches.row(name, f"{messages / seconds:,.0f}", f"{octets / seconds / 1e6:,.0f}", f"{cpu:.2f}")
    singles = [b"UID FETCH %d (FLAGS BODY.PEEK[])" % uid for uid in range(1, min(messages, 2000))]
    seconds, cpu, octets = best(client, pid, singles, rounds)
    fetches.row(
        "UID FETCH one by one",
        f"{len(singles) / seconds:,.0f}",
        f"{octets / seconds / 1e6:,.0f}",
        f"{cpu:.2f}",
    )
    commands = table(f"{messages:,} messages", "ms", "server's CPU s")
    commands.row("SELECT, the first", f"{selected * 1000:,.1f}")
    for command in (
        b"SEARCH UNSEEN",
        b"SEARCH FROM sender77 SUBJECT 77",
        b"SEARCH BODY needle",
        b"SEARCH TEXT needle",
        b"STORE 1:* +FLAGS (\\Flagged)",
        b"STORE 1:* -FLAGS (\\Flagged)",
        b"STORE 1:* +FLAGS (\\Seen)",
    ):
        changes = command.startswith(b"STORE")  # the second time there is nothing to change
        seconds, cpu, _ = best(client, pid, [command], 1 if changes else rounds)
        commands.row(command.decode(), f"{seconds * 1000:,.1f}", f"{cpu:.2f}")
    client.command(b"CREATE Small")
    client.command(b"COPY 1:20 Small")


def check(port: int, given: argparse.Namespace) -> None:
    """Fail unless the server has what it was given, and says so; after `measure`."""
    client = imaplib.IMAP4("127.0.0.1", port, timeout=60)
    client.login(ACCOUNT, "secret")
    messages = given.messages

    def answer(command: str, *arguments: str | None) -> list[Any]:
        status, found = getattr(client, command)(*arguments)
        expect(f"{command} {arguments}", status, "OK")
        return list(found)

    expect("messages in Small", answer("select", "Small"), [b"20"])
    expect("messages in INBOX", answer("select", "INBOX"), [b"%d" % messages])
    numbers = range(1, messages + 1)
    found = answer("fetch", "1:*", METADATA.decode())
    expect("numbers in FETCH metadata", [int(row.split()[0]) for row in found], list(numbers))
    expect("subjects in FETCH metadata", [b" about things" in row for row in found], [True] * messages)
    some = numbers[: 500 if messages > 500 else messages]
    bodies = [row for row in answer("fetch", f"1:{some[-1]}", "(BODY.PEEK[])") if isinstance(row, tuple)]
    for number, (_, body) in zip(some, bodies, strict=True):
        expect(f"content of message {number}", body, example(number - 1, given.size))
    needles = [number for number in numbers if (number - 1) % 500 == 0]
    sender = [n for n in numbers if "77" in str(n - 1) and str(n - 1).startswith("77")]
    for keys, expected in (
        ("UNSEEN", []),
        ("SEEN FLAGGED", []),
        ("SEEN", list(numbers)),
        ("BODY needle", needles),
        ("TEXT needle", needles),
        ("FROM sender77 SUBJECT 77", sender),
    ):
        [found_numbers] = answer("search", None, keys)
        expect(f"SEARCH {keys}", [int(number) for number in found_numbers.split()], expected)
    client.logout()


def measure_idle(port: int, pid: int, mailbox: str, connections: int) -> str:
    """What a connection costs that has ``mailbox`` selected and does nothing."""
    clients = [Client(port) for _ in range(20)]
    for client in clients:
        client.command(b"SELECT " + mailbox.encode())
    before = memory(pid)
    for _ in range(connections):
        clients.append(Client(port))
        clients[-1].command(b"SELECT " + mailbox.encode())
    return f"{(memory(pid) - before) / connections:.1f}"


def main() -> None:
    """Start the server, measure, end it."""
    options = Options(__doc__)
    options.add_number("rounds", 3, quick=1, help="how often each is measured")
    options.add_number("messages", 10_000, quick=600, help="in INBOX")
    options.add_number("size", 5000, quick=5000, help="of a message, in octets")
    options.add_number("connections", 500, quick=20, help="that are idle")
    options.add_argument("--serve", nargs=2, metavar=("FOLDER", "PORT"), help=argparse.SUPPRESS)
    given = options.parse()
    if given.messages < 20:
        options.error("--messages: at least 20")
    if given.serve:
        serve(given.serve[0], int(given.serve[1]), given.messages, given.size)
        return
    with tempfile.TemporaryDirectory(prefix="imap-benchmark-") as folder:
        with server(folder, given) as started:
            measure(started.port, started.pid, given)
            check(started.port, given)
        idle = table("an idle connection", "KiB (PSS)")
        for mailbox in ("Small", "INBOX"):  # in a process that has done nothing else
            with server(folder, given) as started:
                cost = measure_idle(started.port, started.pid, mailbox, given.connections)
                idle.row(f"{mailbox} selected", cost)


def server(folder: str, given: argparse.Namespace) -> AbstractContextManager[Server]:
    """Of a store in ``folder``; the first one fills it."""
    port = free_port()
    arguments = ["--serve", folder, str(port), "--messages", str(given.messages), "--size", str(given.size)]
    return running("the server", [sys.executable, __file__, *arguments], port, wait=600)


if __name__ == "__main__":
    run(main)
