"""The servers of others.  They are no code of mailproto's, and each has a fault."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

__all__ = [
    "Arrival",
    "BrokenTLS",
    "Dropping",
    "Greylisting",
    "Host",
    "HostFactory",
    "OtherName",
    "Record",
    "Refusing",
    "Slow",
    "Tired",
    "Trusted",
    "message_id",
]

_MESSAGE_ID = re.compile(rb"^Message-ID: <([^>]*)>", re.IGNORECASE | re.MULTILINE)


def message_id(content: bytes) -> str:
    """The id in a message's header; "" without one."""
    found = _MESSAGE_ID.search(content)
    return "" if found is None else found[1].decode()


class Arrival(NamedTuple):
    """A message that a host has taken, for one of its recipients.

    :ivar at: the reactor's time.
    :ivar is_answered: False if the host dropped the connection instead of its final reply.
    """

    at: float
    is_answered: bool


class Record:
    """What has arrived anywhere.

    :ivar arrivals: by message id and recipient.
    :ivar faults: how often each host did what it should not.
    :ivar in_tls: how many messages came by TLS, by host.
    """

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.arrivals: defaultdict[tuple[str, str], list[Arrival]] = defaultdict(list)
        self.faults: defaultdict[str, int] = defaultdict(int)
        self.in_tls: defaultdict[str, int] = defaultdict(int)
        self.number = 0

    def arrived(self, content: bytes, recipients: Sequence[str], *, is_answered: bool = True) -> None:
        """A host takes a message."""
        arrival = Arrival(self.clock.seconds(), is_answered)
        self.number += 1
        for recipient in recipients:
            self.arrivals[message_id(content), recipient].append(arrival)


class Host(LineReceiver):
    """A connection to a host without a fault."""

    factory: Any
    transport: Any
    MAX_LENGTH = 4096
    name = "plain"
    offers: Sequence[str] = ("PIPELINING", "8BITMIME", "DELIVERBY")

    def __init__(self, record: Record, reactor: Any, tls: Any = None) -> None:
        self.record = record
        self.reactor = reactor
        self.tls = tls
        self.is_in_tls = False
        self.content: list[bytes] | None = None
        self.reset()

    def reset(self) -> None:
        self.sender = ""
        self.recipients: list[str] = []

    def connectionMade(self) -> None:
        self.reply("220 private.bed.example ESMTP")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Nothing is left to do."""

    def reply(self, line: str) -> None:
        self.sendLine(line.encode())

    def fault(self) -> None:
        self.record.faults[self.name] += 1

    def lineReceived(self, line: bytes) -> None:
        if self.content is not None:
            if line == b".":
                content, self.content = b"\r\n".join(self.content), None
                self.factory.messages += 1
                self.whole(content)
                self.reset()
            else:
                self.content.append(line[1:] if line.startswith(b".") else line)
            return
        verb, _, argument = line.decode("utf-8", "replace").partition(" ")
        getattr(self, f"on_{verb.lower()}", self.on_other)(argument)

    def on_other(self, argument: str) -> None:
        self.reply("500 5.5.2 no such command")

    def on_ehlo(self, argument: str) -> None:
        offers = [*self.offers, *(["STARTTLS"] if self.tls is not None and not self.is_in_tls else [])]
        lines = ["private.bed.example", *offers]
        for line in lines[:-1]:
            self.reply(f"250-{line}")
        self.reply(f"250 {lines[-1]}")

    def on_starttls(self, argument: str) -> None:
        self.reply("220 2.0.0 go ahead")
        self.transport.startTLS(self.tls)
        self.is_in_tls = True

    def on_mail(self, argument: str) -> None:
        self.reset()
        self.sender = argument.partition("<")[2].partition(">")[0]
        self.reply("250 2.1.0 ok")

    def on_rcpt(self, argument: str) -> None:
        self.rcpt(argument.partition("<")[2].partition(">")[0])

    def rcpt(self, recipient: str) -> None:
        self.recipients.append(recipient)
        self.reply("250 2.1.5 ok")

    def on_data(self, argument: str) -> None:
        if not self.recipients:
            self.reply("503 5.5.1 no recipients")
            return
        self.reply("354 go ahead")
        self.content = []

    def whole(self, content: bytes) -> None:
        """The final dot is here."""
        self.take(content)
        self.reply("250 2.0.0 taken")

    def take(self, content: bytes, *, is_answered: bool = True) -> None:
        if self.is_in_tls:
            self.record.in_tls[self.name] += 1
        self.record.arrived(content, self.recipients, is_answered=is_answered)

    def on_rset(self, argument: str) -> None:
        self.reset()
        self.reply("250 2.0.0 ok")

    def on_quit(self, argument: str) -> None:
        self.reply("221 2.0.0 bye")
        self.transport.loseConnection()


class Slow(Host):
    """Answers each message after half a second; until then it reads nothing."""

    name = "slow"

    def whole(self, content: bytes) -> None:
        self.pauseProducing()
        self.fault()
        self.reactor.callLater(0.5, self.late, content, list(self.recipients))

    def late(self, content: bytes, recipients: list[str]) -> None:
        if self.connected:
            self.record.arrived(content, recipients)
            self.reply("250 2.0.0 taken")
            self.resumeProducing()


class Greylisting(Host):
    """Takes no recipient within a second after it was seen first."""

    name = "greylisting"

    def rcpt(self, recipient: str) -> None:
        now = self.record.clock.seconds()
        if now < self.factory.seen.setdefault((self.sender, recipient), now) + 1:
            self.fault()
            self.reply("451 4.7.1 greylisted, come back later")
        else:
            super().rcpt(recipient)


class Tired(Host):
    """After each ten messages, whatever their connections, it closes one with a 421."""

    name = "tired"

    def on_mail(self, argument: str) -> None:
        if self.factory.messages >= 10:
            self.factory.messages = 0
            self.fault()
            self.reply("421 4.7.0 that is enough")
            self.transport.loseConnection()
        else:
            super().on_mail(argument)


class Dropping(Host):
    """Drops the connection at the final dot of each new message; it has taken every second one."""

    name = "dropping"

    def whole(self, content: bytes) -> None:
        seen, id = self.factory.seen, message_id(content)
        if id in seen:
            super().whole(content)
            return
        seen[id] = None
        self.fault()
        if len(seen) % 2:
            self.take(content, is_answered=False)
        self.transport.abortConnection()


class BrokenTLS(Host):
    """Offers STARTTLS, and answers the handshake with nonsense."""

    name = "broken TLS"

    def on_starttls(self, argument: str) -> None:
        self.fault()
        self.reply("220 2.0.0 go ahead")
        self.transport.write(b"this is no handshake" * 10)
        self.transport.loseConnection()


class OtherName(Host):
    """Has a certificate for another name."""

    name = "other name"


class Trusted(Host):
    """Has the certificate that DANE or MTA-STS want; it takes nothing without TLS."""

    name = "trusted"

    def on_mail(self, argument: str) -> None:
        if self.is_in_tls:
            super().on_mail(argument)
        else:
            self.reply("530 5.7.0 STARTTLS first")


class Refusing(Host):
    """Refuses recipients whose names begin with ``no``."""

    name = "refusing"

    def rcpt(self, recipient: str) -> None:
        if recipient.startswith("no"):
            self.fault()
            self.reply("550 5.1.1 no such person")
        else:
            super().rcpt(recipient)


class HostFactory(Factory):
    """Serves a host.

    :param kind: its class.
    :param tls: Twisted's context factory, or None for no STARTTLS.
    :ivar seen: what the host remembers.
    :ivar messages: how many it got, over all connections.
    """

    noisy = False

    def __init__(self, kind: type[Host], record: Record, reactor: Any, tls: Any = None) -> None:
        self.kind, self.record, self.reactor, self.tls = kind, record, reactor, tls
        self.seen: dict[Any, Any] = {}
        self.messages = 0

    def buildProtocol(self, address: Any) -> Host:
        host = self.kind(self.record, self.reactor, self.tls)
        host.factory = self
        return host
