"""Sessions that submit messages to the server under test, and know which it has accepted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import connectionDone
from twisted.internet.task import deferLater
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

__all__ = ["Message", "Senders"]


@dataclass
class Message:
    """A message to submit.

    :ivar by: seconds after which it is to come back (RFC 2852); 0 for the server's lifetime.
    :ivar is_accepted: True after the server's 250; None if it began and nobody knows; False before that.
    """

    id: str
    recipients: list[str]
    size: int = 500
    by: int = 0
    is_accepted: bool | None = False

    @property
    def octets(self) -> bytes:
        """The message itself."""
        line = "x" * 70 + "\r\n"
        return (
            f"From: Alice <alice@bed.example>\r\nTo: {', '.join(self.recipients)}\r\n"
            f"Date: Sat, 28 Nov 2026 12:00:00 +0000\r\nSubject: {self.id}\r\nMessage-ID: <{self.id}>\r\n\r\n"
            + line
            * (self.size // len(line))
        ).encode()


class _Gone(Exception):
    """The server has closed the connection."""


class _Session(LineOnlyReceiver):
    """One line out, one reply back."""

    def __init__(self) -> None:
        self._replies: DeferredQueue[Any] = DeferredQueue()

    def lineReceived(self, line: bytes) -> None:
        if line[3:4] != b"-":
            self._replies.put(line.decode())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        for _ in range(3):  # whoever waits, or will
            self._replies.put(None)

    async def say(self, text: bytes, *codes: str) -> str:
        """:raises _Gone: there is no reply, or not one of these."""
        transport: Any = self.transport
        if text:
            transport.write(text)
        reply: str | None = await self._replies.get()
        if reply is None or (codes and reply[:3] not in codes):
            transport.loseConnection()
            raise _Gone(reply)
        return reply

    async def send(self, message: Message) -> None:
        """:raises _Gone: it was not accepted, as far as we know."""
        by = f" BY={message.by};R" if message.by else ""
        await self.say(f"MAIL FROM:<alice@bed.example>{by}\r\n".encode(), "250")
        for recipient in message.recipients:
            await self.say(f"RCPT TO:<{recipient}>\r\n".encode(), "250")
        await self.say(b"DATA\r\n", "354")
        message.is_accepted = None
        await self.say(message.octets + b".\r\n", "250")
        message.is_accepted = True


@dataclass
class Senders:
    """Some sessions, which connect again while the server is away.

    :param messages: what they share.
    :ivar accepted: how many messages the server has accepted.
    """

    reactor: Any
    port: int
    messages: Iterator[Message]
    sessions: int
    accepted: int = 0
    refusals: list[str] = field(default_factory=list)

    def start(self) -> list[Deferred[None]]:
        """Begin; each Deferred fires when a session has nothing more to send."""
        return [Deferred.fromCoroutine(self._run()) for _ in range(self.sessions)]

    async def _run(self) -> None:
        session: _Session | None = None
        for message in self.messages:
            while not message.is_accepted:
                try:
                    if session is None:
                        session = await self._connect()
                    await session.send(message)
                    self.accepted += 1
                except _Gone as gone:
                    session = None
                    if gone.args[0] is not None:
                        self.refusals.append(str(gone))
                    if message.is_accepted is None:
                        break  # perhaps it is in the queue: it is not sent again
        if session is not None:
            session.transport.loseConnection()  # type: ignore[union-attr]

    async def _connect(self) -> _Session:
        while True:
            try:
                endpoint = TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.port)
                session: _Session = await connectProtocol(endpoint, _Session())
                await session.say(b"", "220")
                await session.say(b"EHLO sender.example\r\n", "250")
                return session
            except (ConnectError, _Gone):
                await deferLater(self.reactor, 0.1)
