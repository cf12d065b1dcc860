"""The server as a Twisted service: everything that the options ask for, in the order that is safe."""

from __future__ import annotations

import atexit
import os
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

from twisted.application.service import MultiService
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.internet.interfaces import IListeningPort
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from mailproto.auth import (
    DEFAULT_MECHANISMS,
    CertificateChecker,
    DirectoryChecker,
    PasswordVerifier,
    StoreRealm,
    ensure_secret,
    hash_password,
)
from mailproto.backends import open_store
from mailproto.connection import ServerFactory
from mailproto.delivery import MailboxDelivery
from mailproto.errors import MailError, StoreUnusable
from mailproto.files import make_folder
from mailproto.interfaces import IStore
from mailproto.service._accounts import ensure_account
from mailproto.service._alone import alone_in
from mailproto.service._factories import FACTORIES, Parts
from mailproto.service._listeners import LISTENERS, listen, printable_address
from mailproto.service._log import log_with
from mailproto.service._options import Options, Settings
from mailproto.tls import TLSFilesError, ensure_self_signed, server_tls

__all__ = ["MailService", "make_data_folder", "make_service"]

_NEEDED = {"EXTERNAL": "--client-ca"}
"""What must be given for a mechanism to be offered, by its name; any other needs a checker of one's own."""


class CannotStart(Exception):
    """The one line that says why the server does not start."""


class MailService(MultiService):
    """A whole mail server.

    It starts from the inside out (store, accounts, listeners), says where it listens and
    that it is ready, and stops from the outside in: no new connections, then each
    connection after its running command, then the store.

    :ivar ready: after `startService`, fires when it has started or has given up.
    :ivar log_with: is told the application that the service is made a part of.
    :param give_up: called with one line when it cannot start; by default that line goes to
        standard error and the process ends with status 1.
    """

    log = Logger()

    def __init__(
        self, settings: Settings, reactor: Any, *, give_up: Callable[[str], None] | None = None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._settings = settings
        self._reactor = reactor
        self._give_up = give_up or self._end_process
        self._verifier: PasswordVerifier | None = None
        self._store: IStore | None = None
        self._factories: dict[str, ServerFactory] = {}
        self._ports: list[IListeningPort] = []
        self.ready: Deferred[None] = succeed(None)
        self.log_with: Callable[[object], None] = lambda application: None

    def setServiceParent(self, parent: object) -> None:  # noqa: N802 - Twisted's name
        """Become a part of ``parent``, and see to its log before anything is logged."""
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]
        self.log_with(parent)

    def startService(self) -> None:
        """Begin to start; `ready` fires when that is done."""
        super().startService()  # type: ignore[no-untyped-call]
        _raise_file_limit()
        self.ready = Deferred.fromCoroutine(self._start())

    def stopService(self) -> Deferred[None]:
        """Stop; the result arrives when everything is on disk and closed."""
        return Deferred.fromCoroutine(self._stop())

    async def _start(self) -> None:
        try:
            await self._open()
        except (CannotStart, MailError) as error:
            self._give_up(str(error))
        except Exception:
            self.log.failure("the server cannot start")
            self._give_up("cannot start, see the log")

    async def _open(self) -> None:
        settings = self._settings
        try:
            spool = make_data_folder(settings.data) / "spool"
            spool.mkdir(exist_ok=True)
            with alone_in(settings.data):
                secret = ensure_secret(settings.data)
                tls_files = settings.tls_files or ensure_self_signed(settings.data, settings.hostname)
            tls = server_tls(*tls_files)
            account_tls = server_tls(*tls_files, client_ca=settings.client_ca)
        except (OSError, TLSFilesError) as error:
            raise CannotStart(str(error)) from None
        store = await self._open_store()
        delivery = MailboxDelivery(store, settings.domains)
        await delivery.ensure_role_accounts()
        self._verifier = PasswordVerifier(self._reactor)
        await self._ensure_accounts(store, self._verifier)
        portal = Portal(
            StoreRealm(store, self._reactor),
            [DirectoryChecker(store.directory, self._verifier, secret=secret)],
        )
        if settings.client_ca is not None:
            portal.registerChecker(CertificateChecker(store.directory, self._reactor))
        self._warn_of_mechanisms(portal)
        await self._listen(
            Parts(
                settings=settings,
                reactor=self._reactor,
                delivery=delivery,
                portal=portal,
                tls=tls,
                account_tls=account_tls,
                spool_folder=spool,
            )
        )
        print(f"mailproto: data in {settings.data.resolve()}", flush=True)
        print("mailproto is ready", flush=True)

    def _warn_of_mechanisms(self, portal: Portal) -> None:
        """Name the mechanisms that were chosen and cannot be offered, with what they need."""
        if self._settings.mechanisms is DEFAULT_MECHANISMS:
            return
        for mechanism in self._settings.mechanisms:
            if mechanism.credentials not in portal.checkers:
                needs = _NEEDED.get(mechanism.name, "a server of your own, with a checker for it")
                self.log.warn(
                    "--auth {name} is not offered: it needs {needs}", name=mechanism.name, needs=needs
                )

    async def _open_store(self) -> IStore:
        settings = self._settings
        try:
            store = open_store(settings.store, str(settings.data), self._reactor)
            await store.start()
        except (ValueError, StoreUnusable, MailError) as error:
            raise CannotStart(f"--store {settings.store}: {error}") from None
        self._store = store
        return store

    async def _ensure_accounts(self, store: IStore, verifier: PasswordVerifier) -> None:
        def hash_in_thread(password: str) -> Deferred[str]:
            return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), hash_password, password)

        for name, password in self._settings.accounts:
            await ensure_account(
                store.directory,
                name,
                password,
                verify=verifier.verify,
                hash_password=hash_in_thread,
            )

    async def _listen(self, parts: Parts) -> None:
        for name, endpoints in self._settings.endpoints.items():
            listener = LISTENERS[name]
            for endpoint in endpoints:
                factory = self._factories.get(listener.protocol)
                if factory is None:
                    factory = self._factories[listener.protocol] = FACTORIES[listener.protocol](parts)
                try:
                    port = await listen(
                        self._reactor,
                        listener,
                        endpoint,
                        factory,
                        parts.account_tls,
                        proxies=self._settings.proxies,
                        limits=factory.limits,
                    )
                except (CannotListenError, OSError, OverflowError) as error:
                    raise CannotStart(f"--{name} {endpoint}: {error}") from None
                self._ports.append(port)
                print(f"mailproto: {name} on {printable_address(port)}", flush=True)

    async def _stop(self) -> None:
        await cast(Any, super().stopService())  # type: ignore[no-untyped-call]
        await self.ready
        for port in self._ports:
            try:
                await maybeDeferred(port.stopListening)
            except OSError as error:  # of a Unix socket that is not there any more
                self.log.warn("while closing {port}: {error}", port=printable_address(port), error=error)
        await gatherResults([factory.shut_down() for factory in self._factories.values()])
        if self._verifier is not None:
            self._verifier.stop()
        if self._store is not None:
            await self._store.stop()
        self._ports, self._factories, self._verifier, self._store = [], {}, None, None

    def _end_process(self, message: str) -> None:
        self.log.critical("{message}", message=message)
        print(f"mailproto: {message}", file=sys.__stderr__, flush=True)
        # twistd ends with status 0 whenever the reactor is stopped: this is the way to another.
        atexit.register(_exit_with_failure)
        self._reactor.callWhenRunning(self._stop_reactor)

    def _stop_reactor(self) -> None:
        with suppress(ReactorNotRunning):  # somebody else was faster
            self._reactor.stop()


def make_service(options: Options) -> MailService:
    """What ``twistd mailproto`` runs, and a ``.tac`` file may: a service for the given options."""
    from twisted.internet import reactor  # not before the command line chose one

    service = MailService(options.settings, reactor)
    level = options["log-level"]
    service.log_with = partial(log_with, reactor=reactor, twistd=options.parent, level=level)
    return service


def make_data_folder(folder: Path) -> Path:
    """Make it, readable by its owner alone, if it is not there.

    :raises OSError:
    """
    make_folder(folder)
    return folder


def _raise_file_limit() -> None:
    """Each connection is a file: take as many as we may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # "unlimited" is refused by some kernels
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _exit_with_failure() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(1)
