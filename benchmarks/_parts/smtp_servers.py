"""What `smtp_server.py` measures: servers that take mail and forget it, each a process of its own.

``command`` says how any of them is started.  One in Python prints how many messages it took
when it is terminated.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

if __name__ == "__main__":
    # Not this folder but the one above, as for the programs: `_parts` is found, and no name
    # in here hides a package.
    sys.path[0] = os.path.dirname(sys.path[0])

from _parts.program import needed_tool

__all__ = ["SERVERS", "command"]


def command(name: str, port: int, *options: str) -> list[str]:
    """How to start the server ``name``; ``options`` are of ``smtp-sink``."""
    if name == "smtp-sink":
        # As root it insists on another user.
        user = ["-u", "nobody"] if os.getuid() == 0 else []
        return [needed_tool(name, "postfix"), *user, *options, f"127.0.0.1:{port}", "1000"]
    return [sys.executable, __file__, name, str(port)]


def say(taken: int) -> None:
    """Print how many messages were taken."""
    print(f"taken: {taken}", flush=True)


def mailproto(port: int) -> None:
    """Ours."""
    from twisted.internet import reactor as installed

    from mailproto.content import Content
    from mailproto.delivery import Delivery, accepted
    from mailproto.model import Envelope, Outcome
    from mailproto.smtp import SMTPServerFactory
    from mailproto.tls import ensure_self_signed, server_tls

    class Discard(Delivery):
        taken = 0

        async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
            self.taken += 1
            return accepted(envelope)

    with tempfile.TemporaryDirectory() as folder:
        tls = server_tls(*ensure_self_signed(folder, "localhost"))
    reactor: Any = installed
    delivery = Discard()
    factory = SMTPServerFactory(delivery, clock=reactor, hostname="mx.example", tls=tls)
    reactor.listenTCP(port, factory, interface="127.0.0.1", backlog=1000)
    reactor.run()
    say(delivery.taken)


def twisted_mail(port: int) -> None:
    """The package that came with Twisted."""
    from twisted.internet import defer
    from twisted.internet import reactor as installed
    from twisted.mail import smtp
    from zope.interface import implementer

    reactor: Any = installed
    taken = 0

    @implementer(smtp.IMessage)
    class Message:
        def lineReceived(self, line: bytes) -> None:  # noqa: N802
            """Forget it."""

        def eomReceived(self) -> defer.Deferred[None]:  # noqa: N802
            nonlocal taken
            taken += 1
            return defer.succeed(None)

        def connectionLost(self) -> None:
            """Nothing is kept."""

    @implementer(smtp.IMessageDelivery)
    class Delivery:
        def receivedHeader(self, helo: object, origin: object, recipients: object) -> bytes:  # noqa: N802
            return b"Received: by mx.example"

        def validateFrom(self, helo: object, origin: object) -> object:  # noqa: N802
            return origin

        def validateTo(self, user: object) -> Callable[[], Message]:  # noqa: N802
            return Message

    class Factory(smtp.SMTPFactory):
        def buildProtocol(self, addr: object) -> smtp.ESMTP:
            protocol = smtp.ESMTP()
            protocol.factory, protocol.delivery, protocol.host = self, Delivery(), b"mx.example"
            return protocol

    factory: Any = Factory
    reactor.listenTCP(port, factory(), interface="127.0.0.1", backlog=1000)
    reactor.run()
    say(taken)


def aiosmtpd(port: int) -> None:
    """asyncio's."""
    import ssl

    from aiosmtpd.smtp import SMTP

    from mailproto.tls import ensure_self_signed

    taken = 0

    class Handler:
        async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: N802
            nonlocal taken
            taken += 1
            return "250 Forgotten"

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.TemporaryDirectory() as folder:
        tls.load_cert_chain(*ensure_self_signed(folder, "localhost"))

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(Handler(), hostname="mx.example", tls_context=tls, command_call_limit=10**9),
            "127.0.0.1",
            port,
            backlog=1000,
        )
        terminated = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, terminated.set)
        async with server:
            await terminated.wait()
            say(taken)  # before the server waits for its connections

    asyncio.run(serve())


SERVERS: dict[str, Callable[[int], None] | None] = {
    "mailproto": mailproto,
    "smtp-sink": None,
    "twisted.mail": twisted_mail,
    "aiosmtpd": aiosmtpd,
}
"""By name; None for a program that is not in Python, and counts nothing."""

if __name__ == "__main__":
    server = SERVERS[sys.argv[1]]
    assert server is not None, f"{sys.argv[1]} is a program"
    server(int(sys.argv[2]))
