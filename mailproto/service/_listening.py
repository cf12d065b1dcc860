"""A service that listens on one endpoint."""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from collections.abc import Callable
from typing import Any, cast

from twisted.application.service import Service
from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IReactorFDSet,
    IReadDescriptor,
)
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from mailproto._logger import PackageLogger
from mailproto.service._endpoints import unix_path, with_defaults
from mailproto.service._reasons import port_error
from mailproto.service._settings import SettingError, User
from mailproto.service._unix_sockets import remove_left_over, socket_error

__all__ = ["ListenerService"]


class ListenerService(Service):
    """Listens on a Twisted endpoint string, completed by `with_defaults`.

    `privilegedStartService` binds the port, while the process still has the right to.  Clients are served
    after `startService`, when the factory exists.  Earlier clients wait to be accepted; if the endpoint's
    port cannot make them wait, their connections are closed.

    A Unix socket that an earlier process left is replaced, unless a process still listens on it.

    :param setting: the path of the setting, such as ``listen.smtp``.
    :param make_factory: called when clients may be served.
    :param listening: called with the address, once clients are served.
    :param user: returns the user to which root gives a Unix socket.
    """

    log = PackageLogger()

    def __init__(
        self,
        setting: str,
        endpoint: str,
        make_factory: Callable[[], IProtocolFactory],
        listening: Callable[[str], object],
        *,
        reactor: Any,
        user: Callable[[], User | None] = lambda: None,
    ) -> None:
        self.endpoint = endpoint
        self._setting = setting
        self._make_factory = make_factory
        self._listening = listening
        self._reactor = reactor
        self._user = user
        self._gate = _Gate(setting)
        self._binding: Deferred[None] | None = None
        self._port: IListeningPort | None = None
        self._problem: SettingError | None = None
        self._is_over = False

    def privilegedStartService(self) -> None:
        """Bind the port.

        :raises SettingError: the port cannot be bound, and the endpoint reports that at once.
        """
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        self._is_over = False
        self._binding = maybeDeferred(self._bind).addCallbacks(self._bound, self._not_bound)
        if self._problem is not None:
            raise self._problem

    def startService(self) -> Deferred[None]:
        """Serve clients; the result fires when clients can be served.

        :raises SettingError: (or the result fails with it) the port cannot be bound.
        """
        super().startService()  # type: ignore[no-untyped-call]
        if self._binding is None:
            self.privilegedStartService()
        return Deferred.fromCoroutine(self._serve())

    def stopService(self) -> Deferred[None]:
        """Close the port; its connections stay open."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    async def _serve(self) -> None:
        if self._binding is not None:
            await self._binding
        if self._problem is not None:
            raise self._problem
        port = self._port
        if port is None:  # stopped
            return
        self._gate.open(self._make_factory())
        self._accept_from(port, True)
        self._listening(_printable_address(port))

    def _bind(self) -> Deferred[IListeningPort]:
        server = serverFromString(self._reactor, with_defaults(self.endpoint))
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
        self._accept_from(port, False)

    def _not_bound(self, failure: Failure) -> None:
        error = cast(Exception, failure.value)
        if isinstance(error, CancelledError):
            return
        path = unix_path(self.endpoint)
        if path is not None:
            reason = socket_error(path, error)
        elif isinstance(error, CannotListenError) and isinstance(error.socketError, OSError):
            reason = port_error(error.socketError)
        elif isinstance(error, OSError):
            reason = port_error(error)
        elif isinstance(error, OverflowError):
            reason = "a port is a number from 0 to 65535"
        else:
            reason = f"not a Twisted server endpoint that works ({str(error) or type(error).__name__})"
        self._problem = SettingError(self._setting, reason, value=self.endpoint)

    def _accept_from(self, port: IListeningPort, accept: bool) -> None:
        """Accept clients, or let them wait in the kernel's backlog."""
        if IReadDescriptor.providedBy(port) and IReactorFDSet.providedBy(self._reactor):
            (self._reactor.addReader if accept else self._reactor.removeReader)(port)

    def _give_away(self, port: IListeningPort, path: str) -> IListeningPort:
        user = self._user()
        if user is not None and os.geteuid() == 0:
            give_away(path, user)
            if os.path.islink(f"{path}.lock"):
                give_away(f"{path}.lock", user)
        return port

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
        self._gate.close()


class _Gate(Factory):
    """Passes connections to a factory that exists later; until then it closes them."""

    noisy = False

    def __init__(self, setting: str) -> None:
        self._setting = setting
        self._served: IProtocolFactory | None = None

    def open(self, served: IProtocolFactory) -> None:
        self._served = served
        served.doStart()

    def close(self) -> None:
        served, self._served = self._served, None
        if served is not None:
            served.doStop()

    def logPrefix(self) -> str:
        return self._setting.rpartition(".")[2]

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:  # type: ignore[override]
        return None if self._served is None else self._served.buildProtocol(addr)


def give_away(path: str, user: User) -> None:
    """Change the owner of root's file to ``user``; in a setgid folder, the group stays."""
    uid = -1 if user.uid is None else user.uid
    gid = user.gid
    if gid is None:
        gid = -1
        with contextlib.suppress(KeyError, TypeError):  # twistd chooses the group in the same way
            gid = pwd.getpwuid(cast(int, user.uid)).pw_gid
    if os.stat(os.path.dirname(path) or ".").st_mode & stat.S_ISGID:
        gid = -1
    os.chown(path, uid, gid, follow_symlinks=False)


def _printable_address(port: IListeningPort) -> str:
    """``host:port`` with the real port, or a Unix socket's path."""
    address = port.getHost()
    if isinstance(address, UNIXAddress):
        return str(address.name.decode(errors="replace")) if address.name else "a Unix socket"
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    return f"{getattr(address, 'host', address)}:{getattr(address, 'port', '')}"
