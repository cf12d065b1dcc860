"""A service that listens on one endpoint."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, cast

from twisted.application.service import IProcess, Service
from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IReactorFDSet,
    IReadDescriptor,
)
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from mailproto._arguments import check_call, check_type
from mailproto._logger import PackageLogger
from mailproto._reactor import installed
from mailproto._twisted_arguments import (
    check_factory,
    check_optional_clock,
    check_server_endpoint,
    check_server_tls,
)
from mailproto._twisted_internals import accept_at_most
from mailproto.connection import ServerFactory
from mailproto.files import give_away
from mailproto.listening._endpoints import unix_path, with_defaults
from mailproto.listening._errors import ListenError, StartFailed, reason_of
from mailproto.listening._unix_sockets import remove_left_over
from mailproto.typing import Reactor, ServerEndpoint, ServerTLSContext

__all__ = ["Listener"]


ACCEPTS: Final = 10
"""Connections that are accepted in one turn of the reactor, so that those that there are need not wait."""


class Listener(Service):
    """Serves clients on an endpoint, and stops without cutting anything off.

    In a ``.tac`` file, twistd starts and stops it::

        Listener("tcp:8025:interface=127.0.0.1", factory).setServiceParent(application)

    In a program, `start` and `stop` do.  After `stop`, it can be started again.

    When it stops, no more connections are accepted.  Each client is told (SMTP and POP3 421 or -ERR, IMAP
    BYE), an idle one at once, another one after its running command: a message that is being delivered gets
    its reply, and one whose client has left is delivered, too.  After ``limits.close_timeout`` of the
    factory, connections that are still open are aborted, and calls of deliveries are cancelled.
    Connections of a factory that another `Listener` still serves stay open.  All this is so for mailproto's
    factories, also inside wrappers such as `twisted.protocols.tls.TLSMemoryBIOFactory`; for any other
    factory, only the port is closed.

    The port is bound in `privilegedStartService`, while the process may still be root.  Clients are served
    from `startService` on; earlier ones wait to be accepted.

    A string is completed with a backlog of 1,024 connections and, for a Unix socket, with mode 660.  A Unix
    socket that an earlier process left is replaced, unless a process still listens on it.

    :param endpoint: a Twisted endpoint string, such as ``tcp:25`` or ``unix:/run/app/lmtp``, or an
        `IStreamServerEndpoint`.  With ``tcp:0``, the system chooses the port.
    :param tls: to serve TLS from the first octet (from `server_tls`), as on the ports 465, 993 and 995.
    :param name: names the listener in the log; by default the factory's service, such as ``smtp``, and
        ``imaps`` with TLS.
    :param listening: called with `address` once clients are served; by default, the log tells it.
    :param reactor: None for the installed reactor.

    :ivar socket_owner: the user and the group (None for no change) to which root gives a Unix socket; by
        default, those of the application that it is added to, as in ``Application("name", uid=8, gid=8)``.

    :raises TypeError: an argument is of a wrong type.
    """

    log = PackageLogger()

    def __init__(
        self,
        endpoint: str | ServerEndpoint,
        factory: IProtocolFactory | Factory[Any],
        *,
        tls: ServerTLSContext | None = None,
        name: str = "",
        listening: Callable[[str], object] | None = None,
        reactor: Reactor | None = None,
    ) -> None:
        if not isinstance(endpoint, str):
            check_server_endpoint("endpoint", endpoint)
        check_factory("factory", factory)
        check_type("name", name, str, "a str")
        if listening is not None:
            check_call("listening", listening, "a function of a str, or None", 1)
        check_optional_clock("reactor", reactor)
        check_server_tls("tls", tls)
        self.endpoint: str | ServerEndpoint = endpoint
        self.socket_owner: tuple[int | None, int | None] = (None, None)
        self._title = name or _name_of(factory) + ("" if tls is None else "s")
        self._listening = listening or self._log_address
        self._reactor = reactor
        served: Any = factory  # some of Twisted's types need the plugin of zope.interface for mypy
        context: Any = tls
        self._factory: IProtocolFactory = (
            served if tls is None else TLSMemoryBIOFactory(context, False, served)
        )
        self._gate = _Gate(self._title)
        self._binding: Deferred[None] | None = None
        self._port: IListeningPort | None = None
        self._problem: tuple[str, str] | None = None
        self._is_over = False
        self._stopping: Deferred[None] | None = None
        self._start_number = 0  # changes with each start and stop

    # -- for programs

    def start(self) -> Deferred[None]:
        """Bind the port and serve clients; if it still stops, after that.

        :returns: fires when clients are served, or fails with `ListenError`.
        :raises RuntimeError: it has been started already.
        """
        if self.running:
            raise RuntimeError(f"{self._title or 'the listener'} has been started already")
        return Deferred.fromCoroutine(self._start())

    def stop(self) -> Deferred[None]:
        """Stop accepting connections, and end those that there are, as described above.

        :returns: fires when all are closed.
        """
        return self.stopService()

    @property
    def port(self) -> int:
        """The number of the TCP port, also if the system has chosen it.

        :raises RuntimeError: it is not listening, or not on a TCP port.
        """
        number = getattr(None if self._port is None else self._port.getHost(), "port", None)
        if not isinstance(number, int):
            what = "it listens on no TCP port" if self._port else "it is not listening: call start() first"
            raise RuntimeError(f"{self._title or 'a listener'} has no port: {what}")
        return number

    @property
    def address(self) -> str:
        """``host:port``, with the real port, or a Unix socket's path; "" while it is not listening."""
        return "" if self._port is None else _printable_address(self._port)

    # -- for applications

    def setServiceParent(self, parent: Any) -> None:  # noqa: N802 - Twisted's name
        """Become a part of an application, or of another service."""
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]
        process = IProcess(parent, None)
        if process is not None and self.socket_owner == (None, None):
            self.socket_owner = (process.uid, process.gid)

    def privilegedStartService(self) -> None:
        """Bind the port.

        :raises ListenError: that is not possible, and the endpoint reports that at once.  In twistd, the
            error ends the process with one line and status 1.
        """
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        if self._stopping is not None:  # `startService` waits for it
            return
        self._bind()
        if self._problem is not None:
            # Before the reactor runs, nobody but the operator can do anything about it.
            is_starting = getattr(self._own_reactor(), "running", None) is False
            raise (StartFailed if is_starting else ListenError)(*self._problem)

    def startService(self) -> Deferred[None]:
        """Serve clients; the result fires when they are served, or fails with `ListenError`."""
        if self._stopping is not None:
            return Deferred.fromCoroutine(self._start())
        super().startService()  # type: ignore[no-untyped-call]
        if self._binding is None:
            self.privilegedStartService()
        return Deferred.fromCoroutine(self._serve())

    def stopService(self) -> Deferred[None]:
        """See `stop`."""
        super().stopService()  # type: ignore[no-untyped-call]
        self._start_number += 1
        if self._stopping is None:
            return Deferred.fromCoroutine(self._stop_alone())
        return Deferred.fromCoroutine(self._stopped())

    # -- behind these

    async def _start(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self._start_number = number = self._start_number + 1
        await self._stopped()
        if number != self._start_number:  # it was stopped again
            return
        if self._binding is None:
            self._bind()
        try:
            await self._serve()
        except Exception:  # the factory's own, too
            self.running = 0
            await self._stop()
            raise

    def _bind(self) -> None:
        self._is_over = False
        self._problem = None
        self._binding = maybeDeferred(self._listen).addCallbacks(self._bound, self._not_bound)

    async def _serve(self) -> None:
        if self._binding is not None:
            await self._binding
        if self._problem is not None:
            raise ListenError(*self._problem)
        port = self._port
        if port is None:  # stopped
            return
        self._gate.open(self._factory)
        self._accept_from(port, True)
        self._listening(self.address)

    def _listen(self) -> Deferred[IListeningPort]:
        if not isinstance(self.endpoint, str):
            listening: Deferred[IListeningPort] = self.endpoint.listen(self._gate)
            return listening
        server = serverFromString(self._own_reactor(), with_defaults(self.endpoint))
        path = unix_path(self.endpoint)
        if path is None:
            return cast("Deferred[IListeningPort]", server.listen(self._gate))
        remove_left_over(path)
        umask = os.umask(0o177)  # so that no other user can connect before the socket has its mode
        try:
            bound = cast("Deferred[IListeningPort]", server.listen(self._gate))
        finally:
            os.umask(umask)
        return bound.addCallback(self._give_away, path)

    def _bound(self, port: IListeningPort) -> None:
        if self._is_over:  # the endpoint ignored `cancel`
            port.stopListening()
            return
        self._port = port
        accept_at_most(port, ACCEPTS)
        self._accept_from(port, False)

    def _not_bound(self, failure: Failure) -> None:
        error = cast(Exception, failure.value)
        if isinstance(error, CancelledError):
            return
        if isinstance(self.endpoint, str):
            self._problem = self.endpoint, reason_of(error, self.endpoint)
        else:
            interface, port = (getattr(error, name, "") for name in ("interface", "port"))
            where = f"{interface or ''}:{port}" if port else type(self.endpoint).__name__
            self._problem = where, reason_of(error, "")

    def _accept_from(self, port: IListeningPort, accept: bool) -> None:
        """Accept clients, or let them wait in the kernel's backlog."""
        reactor = self._own_reactor()
        if IReadDescriptor.providedBy(port) and IReactorFDSet.providedBy(reactor):
            (reactor.addReader if accept else reactor.removeReader)(port)

    def _own_reactor(self) -> Any:
        return installed() if self._reactor is None else self._reactor

    def _give_away(self, port: IListeningPort, path: str) -> IListeningPort:
        uid, gid = self.socket_owner
        if (uid, gid) != (None, None) and os.geteuid() == 0:
            give_away(path, uid, gid)
            if os.path.islink(f"{path}.lock"):
                give_away(f"{path}.lock", uid, gid)
        return port

    def _log_address(self, address: str) -> None:
        # Formatted here, so that a log in any format has this text.
        self.log.info("{line}", line=f"mailproto: {self._title} on {address}", address=address)

    async def _stopped(self) -> None:
        """Wait until it has stopped, if it stops."""
        if self._stopping is not None:
            over: Deferred[None] = Deferred()
            self._stopping.chainDeferred(over)
            await over

    async def _stop_alone(self) -> None:
        """Stop; meanwhile, whoever starts or stops it waits."""
        stopping = self._stopping = Deferred()
        try:
            await self._stop()
        finally:
            self._stopping = None
            stopping.callback(None)

    async def _stop(self) -> None:
        self._is_over = True
        binding, self._binding = self._binding, None
        if binding is not None:
            binding.cancel()
        port, self._port, self._problem = self._port, None, None
        if port is not None:
            address = _printable_address(port)
            try:
                await maybeDeferred(port.stopListening)
            except PermissionError:
                self.log.info(
                    "{port} is not removed, because this user may not; the next start removes it",
                    port=address,
                )
            except OSError as error:  # the Unix socket has been removed
                self.log.warn("while closing {port}: {error}", port=address, error=error)
        served = self._gate.close()
        if served is not None and not served.numPorts:
            await served.shut_down()


class _Gate(Factory):
    """Passes connections to a factory while it is open; otherwise it closes them."""

    noisy = False

    def __init__(self, title: str) -> None:
        self._title = title
        self._served: IProtocolFactory | None = None

    def open(self, served: IProtocolFactory) -> None:
        served.doStart()
        self._served = served

    def close(self) -> ServerFactory | None:
        """:returns: the factory that made the connections, if it is ours."""
        served, self._served = self._served, None
        if served is None:
            return None
        ours = _server_factory(served)
        served.doStop()
        return ours

    def logPrefix(self) -> str:
        return self._title

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:  # type: ignore[override]
        return None if self._served is None else self._served.buildProtocol(addr)


def _server_factory(factory: object) -> ServerFactory | None:
    """``factory``, or the one that it wraps; None if that is not ours."""
    while factory is not None and not isinstance(factory, ServerFactory):
        factory = getattr(factory, "wrappedFactory", None)
    return factory


def _name_of(factory: IProtocolFactory) -> str:
    ours = _server_factory(factory)
    if ours is not None and ours.service_name:
        return ours.service_name
    prefix = getattr(factory, "logPrefix", None)
    return str(prefix()) if prefix is not None else type(factory).__name__


def _printable_address(port: IListeningPort) -> str:
    address = port.getHost()
    if isinstance(address, UNIXAddress):
        return str(address.name.decode(errors="replace")) if address.name else "a Unix socket"
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    return f"{getattr(address, 'host', address)}:{getattr(address, 'port', '')}"
