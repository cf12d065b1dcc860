"""Servers that run while a test does."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any, Self, cast

from twisted.cred.portal import Portal
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    TCP6ClientEndpoint,
    TCP6ServerEndpoint,
)
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from mailproto._arguments import wrong_type
from mailproto.awaiting import settle
from mailproto.connection import ServerFactory
from mailproto.interfaces import IDelivery, IDeliverySessions, IMailbox
from mailproto.testing._reactor_thread import (
    ReactorThread,
    in_asyncio_task,
    installed_reactor,
    known_reactors,
    reactor_thread,
)
from mailproto.testing._recording import ReceivedMessage, RecordingDelivery
from mailproto.testing._transport import LOOPBACK
from mailproto.testing._waiting import wait_for_message

__all__ = ["RunningServer", "running_server"]

GRACE = 1.0
"""Seconds for which connections may finish their running command when a server is stopped."""

PATIENCE = 60.0
"""Seconds for which synchronous code waits for a call in the server's thread."""


class RunningServer:
    """One or several servers on free ports, made by `running_server`.

    :ivar factories: the servers' factories, in the order given.
    """

    def __init__(self, servers: tuple[Any, ...], host: str, reactor: Any) -> None:
        self._given = servers
        self._host = host
        self._reactor = reactor
        self._ports: list[IListeningPort] = []
        self._thread: ReactorThread | None = None
        self.factories: list[Any] = []

    # Where they listen

    @property
    def host(self) -> str:
        """The address on which they listen."""
        return self._host

    @property
    def port(self) -> int:
        """The port of the first server.  :raises RuntimeError: it does not run."""
        return self.ports[0]

    @property
    def ports(self) -> list[int]:
        """The ports of all servers, in the order given.  :raises RuntimeError: they do not run."""
        if not self._ports:
            raise RuntimeError(
                "the server does not run: use it in a with statement, await it, or call start()"
            )
        return [cast(Any, port.getHost()).port for port in self._ports]

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the first server, for `smtplib.SMTP` and its like."""
        return self._host, self.port

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each server, in the order given."""
        return [(self._host, port) for port in self.ports]

    def endpoint(self, reactor: Any, number: int = 0) -> Any:
        """A client endpoint for one of the servers, as `SMTPClient.connect` takes it."""
        kind = TCP6ClientEndpoint if ":" in self._host else TCP4ClientEndpoint
        return kind(reactor, self._host, self.ports[number])

    # In a thread, for synchronous code

    def start(self) -> Self:
        """Start in a thread; may be called again after `stop`."""
        self._thread = reactor_thread()
        self._thread.call(self._start_in_thread, PATIENCE)
        return self

    def stop(self) -> None:
        """Stop what `start` started: ports are closed and clients disconnected when this returns."""
        if self._thread is not None:
            self._thread.call(self._stop, PATIENCE)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def call(self, function: Callable[..., Any], *arguments: Any, timeout: float = PATIENCE) -> Any:
        """Call a function in the server's thread, and wait for its result::

            server.call(store.directory.add, "alice@example.org", hash_password("secret"))

        :param function: may be a coroutine function, or return a ``Deferred``.
        :raises TimeoutError: there is no result after ``timeout`` seconds.
        :raises RuntimeError: the server was not started in a thread.
        """
        if self._thread is None:
            raise RuntimeError("the server does not run in a thread: call the function, and await its result")

        async def run() -> Any:
            return await settle(function(*arguments))

        return self._thread.call(run, timeout)

    def wait_for_message(
        self, where: RecordingDelivery | IMailbox, matching: Any = None, *, timeout: float = 5.0
    ) -> ReceivedMessage:
        """`mailproto.testing.wait_for_message`, for synchronous code."""
        reactor = None if self._thread is None else self._thread.reactor

        def wait() -> Any:
            return wait_for_message(where, matching, timeout=timeout, reactor=reactor)

        found: ReceivedMessage = self.call(wait, timeout=timeout + PATIENCE)
        return found

    # In the running reactor, or in asyncio

    def __await__(self) -> Generator[Any, Any, Self]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> Self:
        self._thread = None
        if in_asyncio_task():
            reactor = self._reactor or installed_reactor()
            loop = asyncio.get_running_loop()
            if not _runs_on(reactor, loop):
                self._thread = reactor_thread()
                await asyncio.wrap_future(self._thread.submit(self._start_in_thread))
            else:
                await ensureDeferred(self._start(reactor)).asFuture(loop)
        else:
            await self._start(self._reactor or installed_reactor())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop what ``async with`` or ``await`` started."""
        if self._thread is not None:
            await asyncio.wrap_future(self._thread.submit(self._stop))
        elif in_asyncio_task():
            await ensureDeferred(self._stop()).asFuture(asyncio.get_running_loop())
        else:
            await self._stop()

    # Inside

    async def _start_in_thread(self) -> None:
        assert self._thread is not None
        await self._start(self._thread.reactor)

    async def _start(self, reactor: Any) -> None:
        if self._ports:
            raise RuntimeError("the server runs already")
        self._running_in = reactor
        endpoint: Any = TCP6ServerEndpoint if ":" in self._host else TCP4ServerEndpoint
        try:
            self.factories = [await _made(each, reactor) for each in self._given]
            for factory in self.factories:
                port = await endpoint(reactor, 0, interface=self._host).listen(factory)
                self._ports.append(port)
        except BaseException:
            await self._stop()
            raise

    async def _stop(self) -> None:
        ports, self._ports = self._ports, []
        for port in ports:
            await settle(port.stopListening())
        for server in filter(None, map(_served, self.factories)):
            timer = self._running_in.callLater(GRACE, server.stop_now)
            await server.shut_down()
            if timer.active():
                timer.cancel()


def running_server(
    *servers: IProtocolFactory | Callable[..., Any], host: str = LOOPBACK, reactor: Any = None
) -> RunningServer:
    """One or several servers that run while a test does, each on a free port.

    In a coroutine of Twisted's (trial) or asyncio's::

        async with running_server(SMTPServerFactory(delivery)) as server:
            await send_mail(reactor, ServerAddress(*server.address, tls="none"), message)

    ``server = await running_server(...)`` does the same without a block; ``await server.aclose()`` ends it,
    as in ``self.addCleanup(server.aclose)``.

    In synchronous code the server runs in a thread of its own::

        with running_server(SMTPServerFactory(delivery), IMAPServerFactory(portal)) as server:
            smtp = smtplib.SMTP(*server.addresses[0])
            imap = imaplib.IMAP4(*server.addresses[1])

    This also works under trial, pytest and asyncio, and a server may be started again.  There is one such
    thread for the process.  If nothing else runs the installed reactor, the thread does; otherwise it has its
    own, and code of yours that needs a reactor must get that one: give a function instead of a factory.

    :param servers: factories, or functions that make one in the server's thread.  A function may have a
        parameter ``reactor``, and may be a coroutine function; it is called at each start.
    :param host: the address to listen on.
    :param reactor: for ``async with`` and ``await``; None for the installed one.
    :raises TypeError: something is neither a factory nor a function.
    """
    if not servers:
        raise wrong_type("servers", servers, "one factory or more")
    server: Any
    for server in servers:
        is_factory = IProtocolFactory.providedBy(server)
        if not is_factory and (not callable(server) or _is_factory_class(server)):
            hint = f"write {server.__name__}(...)" if _is_factory_class(server) else ""
            if IDelivery.providedBy(server) or IDeliverySessions.providedBy(server):
                hint = "write SMTPServerFactory(delivery)"
            raise wrong_type("each of servers", server, "a factory, or a function that makes one", hint)
    return RunningServer(servers, host, reactor)


def _is_factory_class(server: Any) -> bool:
    return isinstance(server, type) and IProtocolFactory.implementedBy(server)


async def _made(given: Any, reactor: Any) -> Any:
    """The factory, ready to be started, perhaps again."""
    if not IProtocolFactory.providedBy(given):
        wants_reactor = bool(inspect.signature(given).parameters)
        given = await settle(given(reactor) if wants_reactor else given())
        if not IProtocolFactory.providedBy(given):
            raise wrong_type("what a function of servers returns", given, "a factory")
    others = [each for each in known_reactors() if each is not reactor]
    if others:
        _give_reactor(given, reactor, others, set())
    return given


def _give_reactor(subject: Any, reactor: Any, others: list[Any], seen: set[int]) -> None:
    """Give a server the reactor that serves it; it was made for another one, or has run in one.

    Only objects of mailproto are changed: those of the application know what they are doing.
    """
    if id(subject) in seen:
        return
    seen.add(id(subject))
    if isinstance(subject, dict):
        for value in subject.values():
            _give_reactor(value, reactor, others, seen)
    elif isinstance(subject, list | tuple | set):
        for value in subject:
            _give_reactor(value, reactor, others, seen)
    elif isinstance(subject, Portal) or type(subject).__module__.startswith("mailproto."):
        for name, value in list(getattr(subject, "__dict__", {}).items()):
            if any(value is other for other in others):
                setattr(subject, name, reactor)
            else:
                _give_reactor(value, reactor, others, seen)


def _runs_on(reactor: Any, loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the reactor runs on this loop of asyncio."""
    is_asyncio = isinstance(reactor, AsyncioSelectorReactor)
    return is_asyncio and reactor.running and reactor._asyncioEventloop is loop


def _served(factory: Any) -> ServerFactory | None:
    """The mailproto server in a factory, perhaps below TLS (`TLSMemoryBIOFactory`) or the like."""
    while factory is not None and not isinstance(factory, ServerFactory):
        factory = getattr(factory, "wrappedFactory", None)
    return factory
