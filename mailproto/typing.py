"""Types of what parameters take from Twisted, for the type annotations of applications.

They are Protocols: Twisted's interfaces are types that no class implements, not even the reactor's, in
applications that are checked without zope's plugin for mypy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from OpenSSL import SSL

__all__ = [
    "ClientEndpoint",
    "ClientTLSContext",
    "Reactor",
    "ReactorTime",
    "ServerEndpoint",
    "ServerTLSContext",
]


class ReactorTime(Protocol):
    """What measures time (`IReactorTime`): the reactor, or `twisted.internet.task.Clock` in tests."""

    def seconds(self) -> float:
        """The time now, in seconds since any moment."""

    def callLater(  # noqa: N802
        self, delay: float, callable: Callable[..., object], /, *args: object
    ) -> Any:
        """Call a function after ``delay`` seconds; returns an `IDelayedCall`."""


class Reactor(ReactorTime, Protocol):
    """The reactor: ``twisted.internet.reactor``, or what ``twisted.internet.task.react`` passes.

    Type checkers know only what every reactor has.  What needs more, such as threads or a resolver, looks
    for it when the program runs.
    """

    def connectTCP(  # noqa: N802
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: float,
        local_address: tuple[str, int] | None,
        /,
    ) -> Any:
        """Connect to a server (`IReactorTCP`)."""


class ClientEndpoint(Protocol):
    """What connects to a server (`IStreamClientEndpoint`), such as ``TCP4ClientEndpoint``."""

    def connect(self, factory: Any, /) -> Any:
        """Make a connection; returns a ``Deferred`` of the protocol that the factory makes."""


class ServerEndpoint(Protocol):
    """What listens for clients (`IStreamServerEndpoint`), such as ``TCP4ServerEndpoint``."""

    def listen(self, factory: Any, /) -> Any:
        """Serve clients with the factory; returns a ``Deferred`` of the port."""


class _ServerConnectionCreator(Protocol):
    def serverConnectionForTLS(self, protocol: Any, /) -> SSL.Connection: ...  # noqa: N802


class _ClientConnectionCreator(Protocol):
    def clientConnectionForTLS(self, protocol: Any, /) -> SSL.Connection: ...  # noqa: N802


class _ContextFactory(Protocol):
    def getContext(self) -> SSL.Context: ...  # noqa: N802


ServerTLSContext: TypeAlias = _ServerConnectionCreator | _ContextFactory
"""What a server needs for TLS: from `mailproto.tls.server_tls`, or Twisted's ``CertificateOptions``."""

ClientTLSContext: TypeAlias = _ClientConnectionCreator | _ContextFactory
"""What a client needs for TLS: from `mailproto.tls.client_tls`, or Twisted's ``optionsForClientTLS``."""
