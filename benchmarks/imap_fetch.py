"""What an IMAP server over SQLite does in a second, and what an idle connection costs.

    python benchmarks/imap_fetch.py [--messages 10000] [--size 5000] [--connections 500]

A server is started as a process of its own, on a free port of 127.0.0.1, with one account
whose INBOX is filled first.  Each figure is the best of three runs; the client only reads.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

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


def serve(folder: str, messages: int, size: int) -> None:
    """Fill a store and serve it; the port is printed once all is ready."""
    from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
    from twisted.cred.portal import Portal
    from twisted.internet import epollreactor

    epollreactor.install()
    from twisted.internet import reactor
    from twisted.internet.defer import ensureDeferred
    from twisted.python import log

    from mailproto.auth import StoreRealm
    from mailproto.backends import SQLiteStore
    from mailproto.imap import IMAPLimits, IMAPServerFactory
    from mailproto.model import NewMessage

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
        checker = InMemoryUsernamePasswordDatabaseDontUse(**{ACCOUNT: b"secret"})
        checker.users = {ACCOUNT.encode(): b"secret"}
        factory = IMAPServerFactory(
            Portal(StoreRealm(store), [checker]),
            clock=reactor,
            hostname="localhost",
            limits=IMAPLimits(connections_per_peer=10_000),
        )
        port = reactor.listenTCP(0, factory, interface="127.0.0.1", backlog=1000)
        print(port.getHost().port, flush=True)

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

        :raises RuntimeError: when the answer is not OK.
        """
        self.socket.sendall(b"tag " + command + b"\r\n")
        total, tail = 0, b""
        ended = re.compile(rb"(?:\A|\r\n)tag (OK|NO|BAD)[^\r\n]*\r\n\Z")
        while True:
            data = self.socket.recv(1 << 17)
            if not data:
                raise RuntimeError("the server hung up")
            total += len(data)
            tail = (tail + data)[-4096:]
            if tail.endswith(b"\r\n") and (match := ended.search(tail)):
                if match[1] != b"OK":
                    raise RuntimeError(match[0].decode())
                return total, tail


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> int:
    """Proportional set size, in KiB."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def best(client: Client, pid: int, commands: Iterable[bytes], rounds: int = 3) -> tuple[float, float, int]:
    """(seconds, processor seconds, octets) of the best round of all the commands."""
    results = []
    commands = list(commands)
    for _ in range(rounds):
        cpu, began = cpu_seconds(pid), time.perf_counter()
        octets = sum(client.command(command)[0] for command in commands)
        results.append((time.perf_counter() - began, cpu_seconds(pid) - cpu, octets))
    return min(results)


def row(what: str, value: str, note: str = "") -> None:
    """Print a row of the table."""
    print(f"{what:<34} {value:>18}   {note}", flush=True)


def measure(port: int, pid: int, messages: int) -> None:
    """Print the table."""

    client = Client(port)
    began = time.perf_counter()
    client.command(b"SELECT INBOX")
    row("SELECT", f"{(time.perf_counter() - began) * 1000:.1f} ms")
    for name, command in (
        ("FETCH metadata", b"FETCH 1:* " + METADATA),
        ("FETCH FLAGS", b"FETCH 1:* (UID FLAGS)"),
    ):
        seconds, cpu, octets = best(client, pid, [command])
        note = f"{octets / seconds / 1e6:.0f} MB/s, server {cpu:.2f} s"
        row(name, f"{messages / seconds:,.0f} msg/s", note)
    for name, command in (
        ("FETCH BODY.PEEK[]", b"FETCH 1:* (UID BODY.PEEK[])"),
        ("FETCH BODY.PEEK[HEADER]", b"FETCH 1:* (UID BODY.PEEK[HEADER])"),
    ):
        seconds, cpu, octets = best(client, pid, [command])
        row(
            name,
            f"{octets / seconds / 1e6:,.0f} MB/s",
            f"{messages / seconds:,.0f} msg/s, server {cpu:.2f} s",
        )
    singles = [b"UID FETCH %d (FLAGS BODY.PEEK[])" % uid for uid in range(1, min(messages, 2000))]
    seconds, cpu, _ = best(client, pid, singles)
    row("UID FETCH one by one", f"{len(singles) / seconds:,.0f} msg/s")
    for command in (
        b"SEARCH UNSEEN",
        b"SEARCH FROM sender77 SUBJECT 77",
        b"SEARCH BODY needle",
        b"SEARCH TEXT needle",
    ):
        seconds, cpu, _ = best(client, pid, [command])
        row(command.decode(), f"{seconds * 1000:.1f} ms")
    store = [b"STORE 1:* +FLAGS (\\Flagged)", b"STORE 1:* -FLAGS (\\Flagged)", b"NOOP"]
    seconds, cpu, _ = best(client, pid, store)
    row("STORE 1:* +FLAGS and -FLAGS", f"{2 * messages / seconds:,.0f} msg/s")
    seconds, cpu, _ = best(client, pid, [b"STORE 1:* +FLAGS (\\Seen)"], rounds=1)
    row("STORE 1:* +FLAGS (\\Seen)", f"{messages / seconds:,.0f} msg/s")

    client.command(b"CREATE Small")
    client.command(b"COPY 1:20 Small")


def measure_idle(port: int, pid: int, mailbox: str, connections: int) -> None:
    """Print what a connection costs that has ``mailbox`` selected and does nothing."""
    clients = [Client(port) for _ in range(20)]
    for client in clients:
        client.command(b"SELECT " + mailbox.encode())
    before = memory(pid)
    for _ in range(connections):
        clients.append(Client(port))
        clients[-1].command(b"SELECT " + mailbox.encode())
    row(
        f"idle connection, {mailbox} selected", f"{(memory(pid) - before) / connections:.1f} KiB", "PSS added"
    )


def main() -> None:
    """Start the server, measure, end it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=5000)
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--serve", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.messages, options.size)
        return
    with tempfile.TemporaryDirectory(prefix="imap-benchmark-") as folder:
        with server(folder, options) as (port, pid):
            measure(port, pid, options.messages)
        for mailbox in ("Small", "INBOX"):  # in a process that has done nothing else
            with server(folder, options) as (port, pid):
                measure_idle(port, pid, mailbox, options.connections)


@contextmanager
def server(folder: str, options: argparse.Namespace) -> Iterator[tuple[int, int]]:
    """A server's port and process id."""
    arguments = ["--serve", folder, "--messages", str(options.messages), "--size", str(options.size)]
    process = subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process.pid
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
