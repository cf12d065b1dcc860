"""Fuzz `mailproto.smtp`.

For any octets, cut anywhere: the wire raises nothing but its own error and says the same
however they are cut; a whole session logs no failure, answers in well-formed replies, holds
no more than its limits allow, and gives each message it took to the delivery exactly once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from _parts.fuzzing import instrumented, run

with instrumented():
    from twisted.internet.task import Clock
    from twisted.internet.testing import StringTransportWithDisconnection
    from zope.interface import implementer

    from mailproto.content import Content
    from mailproto.delivery import Delivery
    from mailproto.interfaces import IExpander, IQueueRunner, IVerifier
    from mailproto.model import Address, Envelope, Outcome, ServiceExtensions, Session, VerifiedName
    from mailproto.smtp import SMTPServerFactory
    from mailproto.smtp.limits import SMTPLimits
    from mailproto.smtp.lmtp import LMTPServerFactory
    from mailproto.smtp.server._reception import DiscardedChunk
    from mailproto.smtp.wire import (
        Bdat,
        ChunkEnd,
        Data,
        DataChunk,
        DataEnd,
        SMTPServerWire,
        SMTPSyntaxError,
        SMTPWireLimits,
        mail_options,
        rcpt_options,
    )

WIRE_LIMITS = SMTPWireLimits(command_line=200, text_line=100, auth_line=300, swallowed=1000)
LIMITS = SMTPLimits(
    wire=WIRE_LIMITS,
    recipients=5,
    errors=50,
    refused_recipients=50,
    idle_commands=50,
    memory=200,
    header=150,
    hops=3,
    greeting_wait=0,
    pipelined=1000,
)
MAX_MESSAGE_SIZE = 500
MOST_PENDING = WIRE_LIMITS.auth_line + 100
"""Octets that a wire may hold back, once nothing more can be made of them."""

PROMISES = ServiceExtensions(
    binary_mime=True, dsn=True, require_tls=True, deliver_by=10, mt_priority="", future_release=1000
)

_REPLY = re.compile(rb"(?:\d{3}-[^\r\n]*\r\n)*\d{3}(?: [^\r\n]*)?\r\n")


@implementer(IVerifier, IExpander, IQueueRunner)
class Sink(Delivery):
    """Takes everything, after a look at it.

    :ivar messages: how many were taken.
    :ivar recipients: how many they had together.
    """

    service_extensions = PROMISES

    def __init__(self) -> None:
        self.messages = self.recipients = 0

    async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
        """Fail unless the envelope can be read, and the content is what was promised."""
        options = mail_options(envelope.parameters)
        for recipient in envelope.recipients:
            rcpt_options(recipient.parameters)
        octets = bytes(content)
        assert octets.startswith(b"Received: ")
        if options.body != "BINARYMIME":
            assert b"\0" not in octets
            assert octets.count(b"\r") == octets.count(b"\n") == octets.count(b"\r\n")
        self.messages += 1
        self.recipients += len(envelope.recipients)
        return [Outcome(250, "2.0.0", "Taken")] * len(envelope.recipients)

    async def verify(self, session: Session, name: str) -> VerifiedName | None:
        """Whatever was asked for, under that name."""
        return VerifiedName(Address("a", "b"), name)

    async def expand(self, session: Session, name: str) -> Sequence[VerifiedName]:
        """The same, twice."""
        return [VerifiedName(Address("a", "b"), name)] * 2

    async def run_queue(self, session: Session, node: str) -> int | None:
        """As many as its name is long."""
        return len(node)


def in_pieces(octets: bytes, sizes: bytes) -> Iterator[bytes]:
    """``octets``, cut as ``sizes`` say, again and again."""
    at = turn = 0
    while at < len(octets):
        size = 1 + (sizes[turn % len(sizes)] if sizes else len(octets))
        yield octets[at : at + size]
        at += size
        turn += 1


def play(pieces: Iterator[bytes], *, normalise: bool) -> list[object]:
    """What the wire makes of ``pieces``, if each DATA is answered with 354."""
    wire = SMTPServerWire(WIRE_LIMITS, normalise=normalise)
    said: list[object] = []
    content = b""
    for piece in pieces:
        wire.receive(piece)
        while True:
            try:
                event = wire.next_event()
            except SMTPSyntaxError as error:
                said.append((error.code, error.enhanced, error.text))
                continue
            if event is None:
                break
            if isinstance(event, DataChunk | DataEnd | ChunkEnd):
                content += event.octets
                if isinstance(event, DataEnd):
                    said.append((event.fault, b"" if event.fault else content))
                elif isinstance(event, ChunkEnd):
                    said.append((event.last, content))
                content = content if isinstance(event, DataChunk) else b""
                continue
            said.append(event)
            if isinstance(event, Data):
                wire.expect_content()
            assert not isinstance(event, Bdat) or event.size < 10**18
        assert wire.pending <= MOST_PENDING
    return said


def serve(octets: bytes, sizes: bytes, choice: int) -> None:
    """A whole session."""
    factory_class = LMTPServerFactory if choice & 1 else SMTPServerFactory
    delivery = Sink()
    factory = factory_class(
        delivery,
        clock=Clock(),
        hostname="mx.example",
        max_message_size=MAX_MESSAGE_SIZE,
        bare_newlines="normalise" if choice & 2 else "refuse",
        limits=LIMITS,
    )
    server: Any = factory.buildProtocol(None)
    transport: Any = StringTransportWithDisconnection()
    transport.protocol = server
    server.makeConnection(transport)
    for piece in in_pieces(octets, sizes):
        if not transport.connected:
            break
        server.dataReceived(piece)
        assert server.wire.pending <= MOST_PENDING or not server.is_open
        reception = server.reception
        assert reception is None or server.transaction is not None or isinstance(reception, DiscardedChunk)
    if transport.connected:
        server.dataReceived(b"\r\n")
        transport.loseConnection()
    written = transport.value()
    end = 0
    while match := _REPLY.match(written, end):
        end = match.end()
    assert end == len(written), written[end:]
    assert server.reception is None
    assert written.count(b"\n250 2.0.0 Taken as ") in (delivery.messages, 0)
    assert written.count(b"\n250 2.0.0 Taken (") in (delivery.recipients, 0)
    assert not delivery.messages or b"\n250 2.0.0 Taken " in written


def one_input(data: bytes) -> None:
    """What the fuzzer calls: a choice of settings, where to cut, and what is sent."""
    choice, cuts = (data[0], data[1] % 16) if len(data) > 1 else (0, 0)
    sizes, octets = data[2 : 2 + cuts], data[2 + cuts :]
    normalise = bool(choice & 2)
    whole = play(iter([octets]), normalise=normalise)
    assert play(in_pieces(octets, sizes), normalise=normalise) == whole
    serve(octets, sizes, choice)


SEEDS = (
    b"\0\1\x05EHLO a\r\nMAIL FROM:<a@b> SIZE=9 BODY=8BITMIME\r\nRCPT TO:<c@d> NOTIFY=NEVER\r\n"
    b"DATA\r\nSubject: x\r\n\r\n..y\r\n.\r\nRSET\r\nVRFY z\r\nQUIT\r\n",
    b"\1\2\1\x09LHLO a\r\nMAIL FROM:<> BODY=BINARYMIME RET=HDRS ENVID=x+2B\r\n"
    b'RCPT TO:<c@d> ORCPT=rfc822;c@d\r\nRCPT TO:<"e f"@[192.0.2.1]>\r\n'
    b"BDAT 12\r\nSubject: x\r\nBDAT 5 LAST\r\n\r\n\0\rzNOOP\r\n",
    b"\2\1\x1fEHLO [IPv6:::1]\r\nMAIL FROM:<a@b> HOLDFOR=10 MT-PRIORITY=3 BY=12;N REQUIRETLS\r\n"
    b"RCPT TO:<@x,@y:c@d>\r\nDATA\r\nReceived: a\r\nx\ny\r.\r\n.\r\nEXPN l\r\nETRN @h\r\n",
)

if __name__ == "__main__":
    run(__doc__, one_input, SEEDS)
