"""What `smtp_server.py` measures: servers that take mail and forget it, each a process of its own.

``python benchmarks/smtp_servers.py NAME PORT`` runs one of those in Python; `Peer.command`
says how any of them is started.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence

__all__ = ["SERVERS", "command", "tool"]


def tool(name: str) -> str:
    """A program of Debian's postfix package."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if path is None:
        sys.exit(f"{name} is missing: apt-get install postfix")
    return path


def command(name: str, port: int) -> list[str]:
    """How to start the server ``name``."""
    if name == "smtp-sink":
        # As root it wants somebody else to be.
        who = ["-u", "nobody"] if os.getuid() == 0 else []
        return [tool(name), *who, f"127.0.0.1:{port}", "1000"]
    return [sys.executable, __file__, name, str(port)]


def mailproto(port: int) -> None:
    """Ours."""
    from twisted.internet import reactor

    from mailproto.content import Content
    from mailproto.delivery import Delivery, accepted
    from mailproto.model import Envelope, Outcome
    from mailproto.smtp import SMTPServerFactory
    from mailproto.tls import ensure_self_signed, server_tls

    class Discard(Delivery):
        async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
            return accepted(envelope)

    with tempfile.TemporaryDirectory() as folder:
        tls = server_tls(*ensure_self_signed(folder, "localhost"))
    factory = SMTPServerFactory(Discard(), clock=reactor, hostname="mx.example", tls=tls)
    reactor.listenTCP(port, factory, interface="127.0.0.1", backlog=1000)
    reactor.run()


def twisted_mail(port: int) -> None:
    """The package that came with Twisted."""
    from twisted.internet import defer, reactor
    from twisted.mail import smtp
    from zope.interface import implementer

    @implementer(smtp.IMessage)
    class Message:
        def lineReceived(self, line: bytes) -> None:  # noqa: N802
            """Forget it."""

        def eomReceived(self) -> defer.Deferred[None]:  # noqa: N802
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

    reactor.listenTCP(port, Factory(), interface="127.0.0.1", backlog=1000)
    reactor.run()


def aiosmtpd(port: int) -> None:
    """asyncio's."""
    import ssl

    from aiosmtpd.smtp import SMTP

    from mailproto.tls import ensure_self_signed

    class Handler:
        async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: N802
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
        await server.serve_forever()

    asyncio.run(serve())


SERVERS: dict[str, Callable[[int], None] | None] = {
    "mailproto": mailproto,
    "smtp-sink": None,
    "twisted.mail": twisted_mail,
    "aiosmtpd": aiosmtpd,
}
"""By name; None for those that are not in Python."""

if __name__ == "__main__":
    del sys.path[0]  # this folder: its names are not those of packages
    server = SERVERS[sys.argv[1]]
    assert server is not None, f"{sys.argv[1]} is a program"
    server(int(sys.argv[2]))
