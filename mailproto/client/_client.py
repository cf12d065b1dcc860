"""The face of a client: what those who use one may ask of it, in every protocol alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, Self, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint

from mailproto.auth import ClientCredentials
from mailproto.client._address import ServerAddress
from mailproto.client._connection import ClientConnection
from mailproto.client._opening import connect_client, open_client
from mailproto.client._session import ClientSession
from mailproto.client._timeouts import ClientTimeouts
from mailproto.connection import Peer
from mailproto.model import TLSInfo

__all__ = ["Client"]

EventT = TypeVar("EventT")


class Client(ABC, Generic[EventT]):
    """One connection to a server, as its user sees it.

    `open` makes one from a server's address, with TLS and authentication as that has it; `connect`
    makes one from an endpoint.  Those who have a factory or an endpoint of their own make a client
    themselves and give Twisted its `protocol`: ``connectProtocol(endpoint, client.protocol)``.

    Everything that is asked for is done in order, one after the other, and the server's greeting
    is waited for.

    :ivar timeouts: how long it waits.
    """

    def __init__(self, session: ClientSession[EventT], timeouts: ClientTimeouts) -> None:
        self._session = session
        self.timeouts = timeouts

    @classmethod
    async def open(cls, reactor: Any, server: ServerAddress, **settings: Any) -> Self:
        """Connect, greet, start TLS and authenticate, as ``server`` has it.

        All addresses of the host are tried in the system's order, until one of them does all that.
        The next one follows whatever else went wrong: no server there, silence, no welcome, no TLS,
        a lost connection, authentication refused for now.  Only where the credentials are refused
        for good, or the server could not prove that it knows the password, no other address gets
        to see them.

        The error's text has the server's name and what became of each address that was tried.  It
        is one of those that ask to try again if any does, and rather one that a server caused.

        :param settings: of the client, as for the class itself.
        :raises ConnectFailed: no address could be connected to, or not all that was done within
            ``ClientTimeouts.opening``.
        :raises GreetingRefused, CommandRefused, ConnectionLost:
        :raises AuthenticationRefused, AuthenticationUnavailable:
        :raises TLSUnavailable: TLS is required and not offered, or refused.
        :raises TLSFailed: TLS is required and did not work, or the certificate is not good.
        :raises TLSFilesError: of `mailproto.tls`: ``trust_root`` cannot be read.
        """
        settings.setdefault("is_remote", server.is_remote)
        return await open_client(reactor, server, lambda: cls(reactor, **settings), cls.default_port(server))

    @classmethod
    async def connect(cls, reactor: Any, endpoint: IStreamClientEndpoint, **settings: Any) -> Self:
        """Connect to an endpoint and wait for the server's greeting.

        :param endpoint: TCP, TLS (implicit TLS) or a Unix socket.
        :param settings: of the client, as for the class itself.
        :raises ConnectFailed: there is no server.
        :raises ClientError: there was no welcome; the connection is closed.
        """
        return await connect_client(reactor, endpoint, cls(reactor, **settings))

    @classmethod
    @abstractmethod
    def default_port(cls, server: ServerAddress) -> int:
        """The port to connect to where ``server`` says none."""

    # -- the connection

    @property
    def protocol(self) -> ClientConnection[EventT]:
        """What Twisted's endpoints and factories are given: the protocol (`IProtocol`) of this client."""
        return self._session.connection

    @property
    def is_usable(self) -> bool:
        """Whether something can still be asked for."""
        return self._session.is_usable

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is on."""
        return self._session.connection.is_encrypted

    @property
    def is_verified(self) -> bool:
        """Whether TLS is on, with a certificate that is good and for the server's name."""
        return self._session.is_verified

    @property
    def peer(self) -> Peer:
        """The server's end of the connection, for the log."""
        return self._session.connection.peer

    def tls_info(self) -> TLSInfo | None:
        """What was negotiated; None in plaintext."""
        return self._session.connection.tls_info()

    def greeted(self) -> Deferred[EventT]:
        """Wait for the server's first words.

        :raises GreetingRefused: they were no welcome; the connection is closed.
        """
        return self._session.greeted()

    def closed(self) -> Deferred[None]:
        """Wait for the connection's end; never raises."""
        return self._session.closed()

    def abort(self) -> None:
        """Close at once, whatever is underway."""
        self._session.connection.abort()

    # -- what every protocol has

    @abstractmethod
    def starttls(self, tls: Any) -> Deferred[Any]:
        """Start TLS.

        :param tls: as from `mailproto.tls.client_tls`.
        :raises TLSUnavailable: it is not offered, or refused; the connection goes on.
        :raises TLSFailed: it failed, or the certificate is not good; the connection is over.
        """

    @abstractmethod
    def authenticate(
        self,
        credentials: ClientCredentials,
        *,
        mechanism: str | None = None,
        allow_clear: bool = False,
    ) -> Deferred[str]:
        """Say who we are, and prove it."""

    @abstractmethod
    def quit(self) -> Deferred[None]:
        """Say goodbye after everything that was asked for, and close; never raises.

        :returns: fires when the connection is gone.
        """

    @abstractmethod
    def _introduce(self) -> Deferred[Any]:
        """Say what a protocol has first, and learn what the server offers."""

    def _has_room(self, waiting: int = 0) -> bool:
        """Whether the server takes one more job over this connection, after so many that are not begun."""
        return True
