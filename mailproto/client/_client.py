"""The base of all clients: what they have in common in every protocol."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, Self, TypeVar

from twisted.internet.defer import Deferred

from mailproto._arguments import wrong_type
from mailproto._twisted_arguments import check_client_tls, check_clock, check_endpoint
from mailproto.auth.sasl import ClientCredentials
from mailproto.client._address import ServerAddress
from mailproto.client._connection import ClientConnection
from mailproto.client._opening import connect_client, open_client
from mailproto.client._session import ClientSession
from mailproto.client._timeouts import ClientTimeouts
from mailproto.connection import Peer
from mailproto.model import TLSInfo
from mailproto.typing import ClientEndpoint, ClientTLSContext, Reactor

__all__ = ["Client"]

EventT = TypeVar("EventT")
OfferedT = TypeVar("OfferedT")


class Client(ABC, Generic[EventT, OfferedT]):
    """A client with one connection to a server.

    `open` connects to a `ServerAddress`, with its TLS policy and credentials; `connect` connects to an
    endpoint, also one of your own.  With your own factory, make a client, and let ``buildProtocol`` return
    its `protocol`.  Do not use Twisted's ``connectProtocol``: it makes a class for each connection, which is
    never freed, nor is the client.

    Requests are sent in order, one after the other, after the server's greeting.

    :ivar timeouts: how long the client waits.
    """

    def __init__(self, session: ClientSession[EventT], timeouts: ClientTimeouts) -> None:
        self._session = session
        self.timeouts = timeouts

    @classmethod
    async def open(cls, reactor: Reactor, server: ServerAddress, **settings: Any) -> Self:
        """Connect, wait for the greeting, start TLS and authenticate, as ``server`` requires.

        The host's addresses are tried in the system's order, until all these steps succeed with one. After
        any failure the next address is tried: no server, no reply, a refused greeting, no TLS, a lost
        connection, a temporary failure of authentication.  There are two exceptions: if the credentials are
        refused permanently, or the server cannot prove that it knows the password, no other address is
        tried.

        The error's text has the server's name and the failure of each address.  Its class is that of one of
        these failures, preferably a temporary one, and preferably one that a server caused.

        :param reactor: Twisted's reactor.
        :param server: the address, what TLS it must have, and the credentials, if any.
        :param settings: keyword arguments for the class.
        :returns: fires with the client, which can send requests at once.
        :raises ConnectFailed: no address could be connected, or the steps took longer than
            ``ClientTimeouts.opening``.
        :raises GreetingRefused, CommandRefused, ConnectionLost: the server refused the client or closed the
            connection.
        :raises AuthenticationRefused, AuthenticationUnavailable: the credentials were refused, or there is no
            way to use them.
        :raises TLSUnavailable: TLS is required, but is not offered, or was refused.
        :raises TLSFailed: TLS is required, but failed, or the certificate is not valid.
        :raises mailproto.tls.TLSFilesError: ``trust_root`` cannot be read.
        :raises TypeError: ``server`` is no `ServerAddress`, or ``reactor`` is none.
        """
        check_clock("reactor", reactor)
        if not isinstance(server, ServerAddress):
            hint = f"write ServerAddress({server!r})" if isinstance(server, str) else ""
            raise wrong_type("server", server, "a ServerAddress", hint)
        settings.setdefault("is_remote", server.is_remote)
        make: Any = cls  # the classes of clients take a reactor; this one takes a session
        return await open_client(reactor, server, lambda: make(reactor, **settings), cls.default_port(server))

    @classmethod
    async def connect(cls, reactor: Reactor, endpoint: ClientEndpoint, **settings: Any) -> Self:
        """Connect to an endpoint and wait for the server's greeting.

        :param reactor: Twisted's reactor.
        :param endpoint: TCP, TLS (implicit TLS) or a Unix socket.
        :param settings: keyword arguments for the class.
        :raises ConnectFailed: the connection was not made.
        :raises ClientError: the greeting was refused or missing; the connection is closed.
        :raises TypeError: ``endpoint`` cannot be connected to, or ``reactor`` is none.
        """
        check_clock("reactor", reactor)
        check_endpoint("endpoint", endpoint)
        make: Any = cls
        return await connect_client(reactor, endpoint, make(reactor, **settings))

    @classmethod
    @abstractmethod
    def default_port(cls, server: ServerAddress) -> int:
        """The port to use if ``server`` has none."""

    # -- the connection

    @property
    def protocol(self) -> ClientConnection[EventT]:
        """The Twisted protocol (`IProtocol`) of this client, for endpoints and factories."""
        return self._session.connection

    @property
    def is_usable(self) -> bool:
        """Whether requests can still be sent."""
        return self._session.is_usable

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is on."""
        return self._session.connection.is_encrypted

    @property
    def is_verified(self) -> bool:
        """Whether TLS is on, with a valid certificate for the server's name."""
        return self._session.is_verified

    @property
    def peer(self) -> Peer:
        """The server's end of the connection, for the log."""
        return self._session.connection.peer

    def tls_info(self) -> TLSInfo | None:
        """The negotiated TLS parameters; None in plaintext."""
        return self._session.connection.tls_info()

    def greeted(self) -> Deferred[EventT]:
        """Wait for the server's greeting.

        :raises GreetingRefused: the server refused the client; the connection is closed.
        """
        return self._session.greeted()

    def closed(self) -> Deferred[None]:
        """Wait for the connection's end; never raises."""
        return self._session.closed()

    def abort(self) -> None:
        """Close at once, even during a request."""
        self._session.connection.abort()

    # -- common to all protocols

    def starttls(self, tls: ClientTLSContext) -> Deferred[OfferedT]:
        """Start TLS (RFC 3207, RFC 2595, RFC 9051 6.2.1), forget what was learnt in plaintext, and ask again.

        If plaintext follows the server's reply, that is an attack, and the connection is closed.

        :param tls: a context such as `mailproto.tls.client_tls` makes.
        :returns: fires with what the server offers now.
        :raises TLSUnavailable: TLS is not offered or is refused, or IMAP's server has signed the client in
            before TLS (PREAUTH), which an attacker may have done; the connection goes on.
        :raises TLSFailed: the handshake failed, or the certificate was not accepted; the connection is
            closed.
        """
        check_client_tls("tls", tls)
        return self._session.run(lambda: self._starttls(tls))

    @abstractmethod
    def authenticate(
        self,
        credentials: ClientCredentials,
        *,
        mechanism: str | None = None,
        allow_clear: bool = False,
    ) -> Deferred[str]:
        """Sign in.

        :param credentials: `mailproto.auth.Password`, ``Token`` or ``Certificate``.
        :param mechanism: use this SASL mechanism and no other; None for the best one that both sides have.
        :param allow_clear: True to send a secret in clear without TLS, or to a server that was not verified.
        :returns: fires with the mechanism that was used.
        :raises AuthenticationRefused: the server does not accept the credentials.
        :raises AuthenticationUnavailable: no mechanism can be used; the connection goes on.
        :raises ServerUntrusted: the server could not prove that it knows the password.
        """

    @abstractmethod
    def quit(self) -> Deferred[None]:
        """End the session after all requests, and close; never raises.

        :returns: fires when the connection is closed.
        """

    @abstractmethod
    async def _starttls(self, tls: ClientTLSContext) -> OfferedT:
        """Start TLS, in a turn of its own."""

    @abstractmethod
    def _introduce(self) -> Deferred[Any]:
        """Send the protocol's first command, and learn the server's capabilities."""

    def _has_room(self, waiting: int = 0) -> bool:
        """Whether this connection can take one more job, after ``waiting`` jobs that have not begun."""
        return True

    def _end_of_job(self) -> None:
        """No job of a pool uses this connection any more: forget what an unfinished one has begun."""
