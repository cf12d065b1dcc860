"""A complete mail server as one Twisted service."""

from __future__ import annotations

import resource
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.application.service import IProcess, IService, MultiService
from twisted.internet.defer import CancelledError, Deferred, gatherResults, maybeDeferred, succeed
from twisted.internet.interfaces import IProtocolFactory

from mailproto._arguments import check_bool, check_type
from mailproto._logger import PackageLogger
from mailproto._twisted_arguments import check_clock
from mailproto._twisted_internals import keep_time
from mailproto.observing import ObserverOrMore, Observers
from mailproto.service._accounts import AccountsService
from mailproto.service._aliases import AliasesService
from mailproto.service._data import DataService
from mailproto.service._hangup import HangupService
from mailproto.service._listeners import LISTENERS
from mailproto.service._listening import ListenerService
from mailproto.service._relay import RelayService
from mailproto.service._reporting import Reporter
from mailproto.service._servers import ServersService
from mailproto.service._setting_error import SettingError
from mailproto.service._settings import Settings, User
from mailproto.service._store import StoreService
from mailproto.service._tls import TLSService
from mailproto.typing import Reactor

__all__ = ["MailService"]

START_GRACE = 10.0
"""Seconds that an unfinished start may still take when the server is stopped."""


class MailService(MultiService):
    """A complete mail server.

    Its parts are child services with names (`getServiceNamed`): ``data``, ``tls``, ``store``, ``accounts``,
    ``aliases``, ``servers``, ``relay``, and one for each endpoint, named after its listener: ``smtp``,
    ``smtp-2``, and so on.  They start in this order; each waits until the ``startService`` before it is done.
    The endpoints stop first, all together: no new connections are accepted, and each connection ends after
    its running command.  Then the others stop in the opposite order, so that the store closes late.

    Ports are bound first, in `privilegedStartService`, so that the server can use low ports and still give
    up root's rights (``twistd --uid``).

    :param reporter: reports how the start goes; by default, to the log.
    :param observer: one or more observers of all servers (`mailproto.observing`), in addition to the mail
        log.
    :param hangup: whether SIGHUP calls `reload` instead of ending the process.

    :ivar ready: exists after `startService`; fires when everything has started, or the start has failed.
    :ivar has_failed: whether the start failed.
    :ivar joined: called with the parent when one is set, such as an application.
    """

    log = PackageLogger()

    def __init__(
        self,
        settings: Settings,
        reactor: Reactor,
        *,
        reporter: Reporter | None = None,
        hangup: bool = False,
        observer: ObserverOrMore | None = None,
    ) -> None:
        check_type("settings", settings, Settings, "a Settings", "write mailproto.service.Settings(...)")
        check_clock("reactor", reactor)
        check_type("reporter", reporter, (Reporter, type(None)), "a Reporter or None")
        check_bool("hangup", hangup)
        super().__init__()  # type: ignore[no-untyped-call]
        several: Any = reactor  # several of Twisted's interfaces at once
        self._reactor = several
        self._reporter = reporter or Reporter()
        self.ready: Deferred[None] = succeed(None)
        self.has_failed = False
        self._is_bound = False
        self._problem: Exception | None = None
        self._folder = settings.data
        self._user = settings.user
        self.joined: Callable[[object], None] = lambda parent: None
        if hangup:
            self._add("hangup", HangupService(self.reload, reactor=several))
        data = self._add("data", DataService(settings.data, lambda: self._user))
        tls = self._add("tls", TLSService(settings.tls, settings.hostname, data, reactor=several))
        store = self._add(
            "store",
            StoreService(
                settings.store, settings.quota, data, search_index=settings.search_index, reactor=several
            ),
        )
        accounts = self._add("accounts", AccountsService(settings, data, store, reactor=several))
        aliases = self._add("aliases", AliasesService(settings, data, reactor=several))
        observers = Observers(observer)
        servers = self._add(
            "servers",
            ServersService(
                settings, data, tls, store, accounts, aliases, reactor=several, observers=observers
            ),
        )
        self._add(
            "relay",
            RelayService(
                settings,
                data,
                store,
                servers,
                self._reporter,
                reactor=several,
                observers=observers,
                own_addresses=self._own_addresses,
            ),
        )
        for name, endpoints in settings.listen.items():
            for number, endpoint in enumerate(endpoints, 1):
                self._add(
                    name if number == 1 else f"{name}-{number}",
                    ListenerService(
                        f"listen.{name}",
                        endpoint,
                        _factory_maker(servers, name),
                        _listening_reporter(self._reporter, name),
                        reactor=several,
                        user=lambda: self._user,
                    ),
                )

    def setServiceParent(self, parent: Any) -> None:  # noqa: N802 - Twisted's name
        """Set the parent, and call `joined` before anything is logged."""
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]
        process = IProcess(parent, None)
        if process is not None and self._user is None and (process.uid, process.gid) != (None, None):
            self._user = User(process.uid, process.gid)
        self.joined(parent)

    def privilegedStartService(self) -> None:
        """Bind the ports, perhaps as root; `startService` reports errors."""
        self._is_bound = True
        self._problem = None
        keep_time(self._reactor)
        _raise_file_limit()
        try:
            super().privilegedStartService()  # type: ignore[no-untyped-call]
        except Exception as error:
            self._problem = error

    def startService(self) -> None:
        """Begin the start; `ready` fires when it is done."""
        self.running = 1
        self.has_failed = False
        if not self._is_bound:
            self.privilegedStartService()
        self.ready = Deferred.fromCoroutine(self._start())

    def stopService(self) -> Deferred[None]:
        """Stop; the result fires when everything is on disk and closed."""
        self.running = 0
        return Deferred.fromCoroutine(self._stop())

    def reload(self) -> Deferred[None]:
        """Read files again without ending connections, and log the result.

        This calls ``reload`` of each part that has one: those read the TLS certificate and key, and aliases.
        """
        return Deferred.fromCoroutine(self._reload())

    def _own_addresses(self) -> list[tuple[str, int]]:
        """Where mail from other servers arrives."""
        found = []
        for part in self:
            if isinstance(part, ListenerService) and part.takes_mail_from_others:
                host, _, port = part.listener.address.rpartition(":")
                if port.isdigit():  # it is no Unix socket
                    found.append((host.strip("[]"), int(port)))
        return found

    def _add(self, name: str, service: Any) -> Any:
        service.setName(name)
        service.setServiceParent(self)
        return service

    async def _start(self) -> None:
        try:
            if self._problem is not None:
                raise self._problem
            for service in list(self):
                if not self.running:  # it was stopped before everything had started
                    return
                await maybeDeferred(service.startService)
        except CancelledError:  # it was stopped, and the start took too long
            return
        except SettingError as error:
            await self._fail(error)
        except Exception:
            self.log.failure("the server cannot start")
            await self._fail(None)
        else:
            self._reporter.ready(self._folder.resolve())

    async def _fail(self, error: SettingError | None) -> None:
        self.has_failed = True
        await self._stop_parts()
        self._reporter.failed(error)

    async def _stop(self) -> None:
        timer = self._reactor.callLater(START_GRACE, self.ready.cancel)
        with suppress(CancelledError):
            await self.ready
        if timer.active():
            timer.cancel()
        await self._stop_parts()

    async def _stop_parts(self) -> None:
        self._is_bound = False
        parts = list(self)
        listeners = [self._stop_part(part) for part in parts if isinstance(part, ListenerService)]
        await gatherResults(map(Deferred.fromCoroutine, listeners))
        for service in reversed(parts):
            if not isinstance(service, ListenerService):
                await self._stop_part(service)

    async def _stop_part(self, service: IService) -> None:
        try:
            await maybeDeferred(service.stopService)
        except Exception:
            self.log.failure("error while stopping {name}", name=service.name)

    async def _reload(self) -> None:
        await self.ready
        for service in list(self):
            reload = getattr(service, "reload", None)
            if reload is not None and self.running:
                try:
                    await reload()
                except Exception:
                    self.log.failure("error while reloading {name}", name=service.name)


def _factory_maker(servers: ServersService, name: str) -> Callable[[], IProtocolFactory]:
    return lambda: servers.factory(LISTENERS[name])


def _listening_reporter(reporter: Reporter, name: str) -> Callable[[str], None]:
    return lambda address: reporter.listening(name, address)


def _raise_file_limit() -> None:
    """Allow as many open files as possible, because each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # some kernels refuse "unlimited"
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
