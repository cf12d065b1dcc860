"""The IMAP clients of `imap_client.py`: what each does, and what it has got."""

from __future__ import annotations

import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _parts.fairness_mail import PASSWORD

__all__ = ["CLIENTS", "NAME", "SERVER", "WORKS", "Got", "Job"]

NAME = "alice"
WORKS = ("envelopes", "bodies", "appends")
SERVER = "the server alone"
"""No client, only its socket: no client can be faster."""
_FIELDS = "(BODY.PEEK[HEADER.FIELDS (DATE SUBJECT FROM SENDER REPLY-TO TO CC BCC IN-REPLY-TO MESSAGE-ID)])"

_PER_FETCH = 50


@dataclass(frozen=True)
class Job:
    """What a client shall do.

    :ivar work: one of `WORKS`.
    :ivar number: of messages.
    :ivar messages: to append.
    """

    port: int
    work: str
    number: int
    messages: Sequence[bytes] = field(default=(), repr=False)


@dataclass
class Got:
    """What one client has got, and what it took.

    :ivar check: octets of all bodies, or of all Message-IDs and addresses of authors.
    """

    messages: int = 0
    check: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    memory: int = 0

    def begin(self) -> None:
        self.seconds, self.cpu = time.perf_counter(), time.process_time()

    def end(self) -> Got:
        self.seconds = time.perf_counter() - self.seconds
        self.cpu = time.process_time() - self.cpu
        # The most that it had; `getrusage` tells that of the process that started this one, if it had more.
        status = Path("/proc/self/status").read_text()
        self.memory = int(status.partition("VmHWM:")[2].split()[0]) << 10
        return self

    def add(self, *octets: str | bytes) -> None:
        self.messages += 1
        self.check += sum(map(len, octets))

    def add_header(self, octets: bytes) -> None:
        """Read a header by the standard library's fast parser, as programs with imaplib do."""
        from email.parser import BytesParser
        from email.utils import getaddresses

        header = BytesParser().parsebytes(octets, headersonly=True)
        authors = getaddresses([header["From"]])
        for name in ("Sender", "Reply-To", "To", "Cc", "Bcc"):
            getaddresses(header.get_all(name, []))
        self.add(header["Message-ID"], *(address for _, address in authors))


def with_a_socket(job: Job) -> Got:
    """No client: the same FETCH over a socket, of which all is read and nothing is looked at."""
    with socket.create_connection(("127.0.0.1", job.port), timeout=120) as connection:
        for line in (f"a LOGIN {NAME} {PASSWORD}", "b SELECT INBOX"):
            _until_ok(connection, line, 1 << 16)
        got = Got(messages=job.number)
        got.begin()
        item = "BODY.PEEK[]" if job.work == "bodies" else "ENVELOPE"
        _until_ok(connection, f"c UID FETCH 1:* ({item})", 1 << 18)
        return got.end()


def _until_ok(connection: socket.socket, line: str, size: int) -> None:
    connection.sendall(line.encode() + b"\r\n")
    end = b"\r\n%b OK" % line[:1].encode()
    last = b"\r\n"
    while end not in last:
        octets = connection.recv(size)
        assert octets
        last = (last + octets[-4096:])[-4096:]  # a response has fewer octets


def with_imaplib(job: Job) -> Got:
    """The standard library: its FETCH gives the octets; headers are read by `email`."""
    import imaplib

    imaplib._MAXLINE = 1 << 24  # type: ignore[attr-defined]
    client = imaplib.IMAP4("127.0.0.1", job.port, timeout=120)
    client.login(NAME, PASSWORD)
    client.select("INBOX")
    got = Got()
    got.begin()
    if job.work == "appends":
        for octets in job.messages:
            assert client.append("Target", "", "", octets)[0] == "OK"
            got.add(octets)
        return got.end()
    items = "(BODY.PEEK[])" if job.work == "bodies" else _FIELDS
    for each in client.fetch("1:*", items)[1]:
        if isinstance(each, tuple):
            if job.work == "bodies":
                got.add(each[1])
            else:
                got.add_header(each[1])
    got.end()
    client.logout()
    return got


def with_imapclient(job: Job) -> Got:
    """IMAPClient reads an ENVELOPE into values; its texts are octets, as they are in the message."""
    return _with_imapclient(job, together=False)


def multiappend(job: Job) -> Got:
    """IMAPClient with its `multiappend`."""
    return _with_imapclient(job, together=True)


def _with_imapclient(job: Job, *, together: bool) -> Got:
    import imapclient

    client = imapclient.IMAPClient("127.0.0.1", job.port, ssl=False, timeout=120)
    client.login(NAME, PASSWORD)
    client.select_folder("INBOX")
    got = Got()
    got.begin()
    if job.work == "appends":
        if together:
            client.multiappend("Target", list(job.messages))
        for octets in job.messages:
            if not together:
                client.append("Target", octets)
            got.add(octets)
        return got.end()
    item = b"BODY[]" if job.work == "bodies" else b"ENVELOPE"
    for found in client.fetch(
        client.search(), ["BODY.PEEK[]" if job.work == "bodies" else "ENVELOPE"]
    ).values():
        value = found[item]
        if job.work == "bodies":
            got.add(value)
        else:
            got.add(value.message_id, *(b"%b@%b" % (each.mailbox, each.host) for each in value.from_))
    got.end()
    client.logout()
    return got


def with_aioimaplib(job: Job) -> Got:
    """aioimaplib gives lines and octets; headers are read by `email`.

    It calls itself for each line that it has received, so more messages at once exceed Python's stack.
    """
    import asyncio

    import aioimaplib

    async def main() -> Got:
        client = aioimaplib.IMAP4("127.0.0.1", job.port, timeout=120)
        await client.wait_hello_from_server()
        await client.login(NAME, PASSWORD)
        await client.select("INBOX")
        got = Got()
        got.begin()
        if job.work == "appends":
            for octets in job.messages:
                assert (await client.append(octets, "Target")).result == "OK"
                got.add(octets)
            return got.end()
        item = "(BODY.PEEK[])" if job.work == "bodies" else _FIELDS
        for first in range(1, job.number + 1, _PER_FETCH):
            answer = await client.fetch(f"{first}:{min(first + _PER_FETCH - 1, job.number)}", item)
            for line in answer.lines:
                if not isinstance(line, bytearray):  # which a literal is
                    continue
                if job.work == "bodies":
                    got.add(bytes(line))
                else:
                    got.add_header(bytes(line))
        got.end()
        await client.logout()
        return got

    return asyncio.run(main())


def with_mailproto(job: Job) -> Got:
    """Our client, in a loop."""

    async def work(client: Any, got: Got) -> None:
        got.begin()
        if job.work == "appends":
            for uid, octets in zip(
                (await client.append("Target", *job.messages)).uids, job.messages, strict=True
            ):
                assert uid
                got.add(octets)
        elif job.work == "bodies":
            async for message in client.fetch("1:*", "BODY.PEEK[]"):
                got.add(bytes(message.content))
        else:
            async for message in client.fetch("1:*", "ENVELOPE"):
                envelope = message.envelope
                got.add(envelope.message_id, *(each.address for each in envelope.from_))
        got.end()

    return _with_mailproto(job, work)


def fill(job: Job) -> Got:
    """Put the messages into the mailbox that is read, and make the one to which they are appended."""

    async def work(client: Any, got: Got) -> None:
        await client.append("INBOX", *job.messages)
        await client.create("Target")

    return _with_mailproto(job, work)


def one_by_one(job: Job) -> Got:
    """Our client, whose APPENDs are commands of their own, sent together."""

    async def work(client: Any, got: Got) -> None:
        got.begin()
        answers = [client.append("Target", octets) for octets in job.messages]
        for answer, octets in zip(answers, job.messages, strict=True):
            assert (await answer).uids
            got.add(octets)
        got.end()

    return _with_mailproto(job, work)


def _with_mailproto(job: Job, work: Callable[[Any, Got], Awaitable[None]]) -> Got:
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred
    from twisted.internet.task import react

    from mailproto.auth import Password
    from mailproto.client import ServerAddress
    from mailproto.imap import IMAPClient

    got = Got()

    async def main() -> None:
        credentials = Password(NAME, PASSWORD)
        server = ServerAddress("127.0.0.1", job.port, tls="none", credentials=credentials)
        client = await IMAPClient.open(reactor, server)
        await client.select("INBOX")
        await work(client, got)
        await client.quit()

    try:
        react(lambda _: Deferred.fromCoroutine(main()))
    except SystemExit as end:
        if end.code:
            raise
    return got


CLIENTS: dict[str, Callable[[Job], Got]] = {
    "mailproto": with_mailproto,
    "mailproto, one APPEND each": one_by_one,
    "imaplib": with_imaplib,
    "imapclient": with_imapclient,
    "imapclient, multiappend": multiappend,
    "aioimaplib": with_aioimaplib,
    SERVER: with_a_socket,
    "fill": fill,
}
