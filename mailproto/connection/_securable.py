"""A server's connection that may be inside TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from twisted.internet.interfaces import ITLSTransport

from mailproto.connection._events import EventConnection
from mailproto.connection._handshake import Handshake
from mailproto.tls import Channel, server_channel

if TYPE_CHECKING:
    from mailproto.connection._factory import ServerFactory

__all__ = ["SecurableConnection"]

EventT = TypeVar("EventT")


class SecurableConnection(EventConnection[EventT]):
    """A connection of which it is known how secure it is.

    :ivar is_spoken_for: whether the peer is a proxy that has named its client.
    """

    factory: ServerFactory

    def __init__(self, factory: ServerFactory) -> None:
        super().__init__(factory.clock, factory.limits)
        self.factory = factory
        self.is_spoken_for = False
        self._handshake: Handshake | None = None
        self._tls_version = ""

    @property
    def is_secure(self) -> bool:
        """Whether a client may send a plaintext password: inside TLS, or from this machine."""
        return self.is_encrypted or self.is_local

    @property
    def channel(self) -> Channel:
        """The connection's security, for SASL mechanisms.

        If a proxy speaks for the client, the certificate and the channel bindings are the proxy's.
        """
        channel = server_channel(self.transport, is_local=self.is_local)
        return Channel(channel.is_secure, channel.is_encrypted) if self.is_spoken_for else channel

    @property
    def can_start_tls(self) -> bool:
        """Whether STARTTLS or STLS is to be offered."""
        return (
            self.factory.tls is not None
            and not self.is_encrypted
            and not self.is_compressed
            and ITLSTransport.providedBy(self.transport)
        )

    @property
    def is_in_handshake(self) -> bool:
        """Whether there is a TLS handshake that is not done."""
        return self._handshake_left() is not None

    @property
    def tls_version(self) -> str:
        """The negotiated version, such as ``TLSv1.3``, or "" before the handshake is done.

        The value stays after the connection has ended.
        """
        self._note_tls()
        return self._tls_version

    def _note_tls(self) -> None:
        if not self._tls_version and self._open and self._handshake and self._handshake.left() is None:
            info = self.tls_info()
            self._tls_version = "" if info is None else info.version

    def _handshake_left(self) -> float | None:
        """Seconds that are left for the TLS handshake; None if there is none in progress."""
        return None if self._handshake is None else self._handshake.left()
