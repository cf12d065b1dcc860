"""A server's connection as observers see it: who the client is, inside what TLS, and what is told of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.interfaces import ITLSTransport

from mailproto.connection._commands import State
from mailproto.connection._events import EventConnection
from mailproto.connection._handshake import Handshake
from mailproto.errors import AuthenticationFailed, MailError, TemporaryAuthenticationFailure
from mailproto.observing import Client, Refusal, Stalled
from mailproto.tls import Channel, server_channel

if TYPE_CHECKING:
    from mailproto.connection._factory import ServerFactory

__all__ = ["ObservedConnection"]

EventT = TypeVar("EventT")

_NUMBERS = count(1)
"""The numbers of connections."""


class ObservedConnection(EventConnection[EventT]):
    """A connection of a client of which observers are told.

    :ivar observer: is told of what happens (`mailproto.observing`).
    :ivar number: of this connection, in this process.
    :ivar is_spoken_for: whether the peer is a proxy that has named its client.
    """

    def __init__(self, factory: ServerFactory) -> None:
        super().__init__(factory.clock, factory.limits)
        self.factory: ServerFactory = factory
        self.is_spoken_for = False
        self._handshake: Handshake | None = None
        self._tls_version = ""
        self.observer = factory.observer
        self.counts_octets = factory.observer.needs_octets
        self.number = next(_NUMBERS)
        self.notes: dict[object, Any] = {}

    @property
    def client(self) -> Client:
        """The client, with its current state, for observers."""
        return Client(
            peer=str(self.peer),
            protocol=self.factory.service_name,
            tls=self.tls_version,
            account=self.account_name,
            address=self.peer_address,
            connection=self.number,
            notes=self.notes,
        )

    @property
    def account_name(self) -> str | None:
        """The account that signed in, if the protocol has sign-in."""
        return None

    @property
    def is_signed_in(self) -> bool:
        """Whether an account has signed in."""
        return self.account_name is not None

    @property
    def is_stranger(self) -> bool:
        """See `EventConnection.is_stranger`."""
        return self.account_name is None

    @property
    def must_sign_in(self) -> bool:
        """Whether the client can do nothing before it signs in: then `Limits.login` holds."""
        return False

    @property
    def state(self) -> State:
        """How far the session has come."""
        return State.NOT_AUTHENTICATED if self.account_name is None else State.AUTHENTICATED

    def log_refusal(self, event: EventT, error: MailError) -> None:
        """Tell the observer that a handler raised ``error``.

        Failed sign-ins are told by `mailproto.auth`.
        """
        if not isinstance(error, AuthenticationFailed | TemporaryAuthenticationFailure):
            self.observer.refused(Refusal.of_error(self.client, self.describe(event), error))

    def stalled(self, command: str, seconds: float, cpu_seconds: float) -> None:
        """Count it, and tell the observer."""
        self.factory.stalls += 1
        self.observer.stalled(Stalled(self.client, command, seconds, cpu_seconds))

    def tell_failed(self, command: str, error: MailError) -> None:
        """Tell the observer that a part of a command failed, which the client may not notice."""
        event = Refusal.of_error(self.client, command, error)
        self.observer.refused(event if event.detail else replace(event, detail=error.text))

    def log_counts(self) -> dict[str, str | int]:
        """Counts of what the session did, for the event of its end (`Disconnected.counts`)."""
        return {}

    @property
    def is_compressed(self) -> bool:
        """Whether both sides compress what they send."""
        return self._deflater is not None

    @property
    def congested(self) -> bool:
        """Whether the client is slow to read: handlers that write much should then await `drained`."""
        return not self._writable

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
