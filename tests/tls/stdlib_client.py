"""A client in memory with TLS by the standard library: it can ask for protocols, and resume sessions."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from OpenSSL import SSL


class StdlibClient:
    """Believes everybody.

    :param alpn: what it asks for.
    :param version: the only one that it speaks.
    :param context: of the client before it, whose ``session`` it goes on with.
    :param pair: the files of a certificate of its own.
    """

    def __init__(
        self,
        *,
        alpn: Sequence[str] | None = None,
        version: ssl.TLSVersion | None = None,
        before: StdlibClient | None = None,
        pair: tuple[Path, Path] | None = None,
    ) -> None:
        if before is None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE
            if alpn is not None:
                self.context.set_alpn_protocols(list(alpn))
            if version is not None:
                self.context.minimum_version = self.context.maximum_version = version
            if pair is not None:
                self.context.load_cert_chain(*pair)
        else:
            self.context = before.context
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = None if before is None else before.ssl.session  # type: ignore[has-type]
        self.ssl = self.context.wrap_bio(self._in, self._out, server_hostname="mail.test", session=session)
        self._read = b""
        self.receive(b"")

    def receive(self, data: bytes) -> None:
        """Take octets, of the handshake or after it."""
        self._in.write(data)
        with contextlib.suppress(ssl.SSLWantReadError):
            self.ssl.do_handshake()
            while piece := self.ssl.read(1 << 16):
                self._read += piece

    def to_send(self) -> bytes:
        """What is to be sent to the server."""
        return self._out.read()

    def write(self, data: bytes) -> None:
        """Say something inside TLS."""
        self.ssl.write(data)

    def read(self) -> bytes:
        """What was heard inside TLS since the last time."""
        read, self._read = self._read, b""
        return read

    def shake_hands(self, server: SSL.Connection) -> None:
        """With a server's connection that has just begun."""
        server.set_accept_state()
        for _ in range(4):
            with contextlib.suppress(SSL.WantReadError):
                server.bio_write(self.to_send() or _nothing())
            with contextlib.suppress(SSL.WantReadError):
                server.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                self.receive(server.bio_read(1 << 16))


def _nothing() -> Any:
    raise SSL.WantReadError
