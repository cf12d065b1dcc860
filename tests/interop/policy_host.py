"""A web server in this process with policies of MTA-STS (RFC 8461 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory

__all__ = ["policy_text", "serve_policies"]

_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


def policy_text(mode: str, *hosts: str) -> str:
    """A policy that names these servers."""
    fields = ["version: STSv1", f"mode: {mode}", *(f"mx: {host}" for host in hosts), "max_age: 86400"]
    return "".join(f"{field}\r\n" for field in fields)


class _Host(Protocol):
    """Answers one request."""

    factory: Any
    transport: Any
    heard = b""

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        if not self.heard.endswith(b"\r\n\r\n"):
            return
        host = self.heard.lower().partition(b"host: mta-sts.")[2].partition(b"\r\n")[0].decode()
        text = self.factory.policies.get(host.partition(":")[0])
        if text is None:
            self.transport.write(f"{_HEAD}\r\nversion: STSv1\r\n".encode())
            self.transport.registerProducer(self, False)
        else:
            self.transport.write(f"{_HEAD}Content-Length: {len(text)}\r\n\r\n{text}".encode())
            self.transport.loseConnection()

    # what never ends is written as fast as the client reads

    def resumeProducing(self) -> None:
        self.factory.streamed += 1000
        self.transport.write(b"x: " + b"y" * 995 + b"\r\n")

    def stopProducing(self) -> None:
        """The client has closed the connection."""


def serve_policies(
    reactor: Any, address: str, tls: Any, policies: Mapping[str, str | None], *, port: int = 443
) -> tuple[Any, Callable[[], Any]]:
    """Answer by HTTPS.

    :param tls: Twisted's context factory.
    :param policies: by their domains; None for one that never ends.
    :returns: an object whose ``streamed`` counts the octets of those, and what ends the server.
    """
    factory: Any = Factory.forProtocol(_Host)
    factory.noisy = False
    factory.policies, factory.streamed = policies, 0
    secure = TLSMemoryBIOFactory(tls, False, factory)
    secure.noisy = False
    return factory, reactor.listenTCP(port, secure, interface=address).stopListening
