"""LMTP clients (RFC 2033)."""

from __future__ import annotations

from typing import ClassVar

from mailproto.client import ServerAddress
from mailproto.smtp.client._client import SMTPClient

__all__ = ["LMTPClient"]


class LMTPClient(SMTPClient):
    """A connection to an LMTP server (RFC 2033): each recipient has a reply of its own.

    The server may be at a TCP port (not 25) or a Unix socket.
    """

    _verb: ClassVar[str] = "LHLO"
    _answers_each: ClassVar[bool] = True

    @classmethod
    def default_port(cls, server: ServerAddress) -> int:
        """24, which is usual; port 25 is not allowed (RFC 2033 5)."""
        return 465 if server.tls == "implicit" else 24
