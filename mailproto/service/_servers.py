"""A service that has the protocols' factories: one for each protocol, however many endpoints it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.cred.portal import Portal
from twisted.internet.interfaces import IProtocolFactory
from twisted.protocols.tls import TLSMemoryBIOFactory

from mailproto.connection import ServerFactory
from mailproto.connection.proxy import ProxiedFactory
from mailproto.delivery import CatchAllDelivery, MailboxDelivery
from mailproto.dkim import KeyFolder
from mailproto.imap import IMAPServerFactory
from mailproto.interfaces import IDelivery, IQueueStore, IStore
from mailproto.observing import Observers
from mailproto.pop3 import POP3ServerFactory
from mailproto.relay import QueueDelivery
from mailproto.service._accounts import AccountsService
from mailproto.service._aliases import AliasesService, srs_of
from mailproto.service._data import DataService
from mailproto.service._dkim_command import DKIM_FOLDER
from mailproto.service._listeners import Listener
from mailproto.service._setting_error import SettingError
from mailproto.service._settings import Settings
from mailproto.service._store import StoreService
from mailproto.service._tls import TLSService
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.lmtp import LMTPServerFactory
from mailproto.typing import ReactorTime

__all__ = ["ServersService"]


class ServersService(Service):
    """Makes the factories.

    :param observers: of all servers, in addition to the mail log.
    :ivar factories: by protocol; a factory is made when it is first used.
    """

    def __init__(
        self,
        settings: Settings,
        data: DataService,
        tls: TLSService,
        store: StoreService,
        accounts: AccountsService,
        aliases: AliasesService,
        *,
        reactor: ReactorTime,
        observers: Observers,
    ) -> None:
        self.settings = settings
        self.data = data
        self.tls = tls
        self.reactor: Any = reactor  # Twisted's types differ from those of `mailproto.typing`
        self.observers = observers
        self.factories: dict[str, ServerFactory] = {}
        self._store = store
        self._accounts = accounts
        self._aliases = aliases
        self._delivery: IDelivery | None = None

    def stopService(self) -> None:
        """Forget the factories, which have no connections any more; a new start makes new ones."""
        super().stopService()  # type: ignore[no-untyped-call]
        self.factories, self._delivery = {}, None

    @property
    def delivery(self) -> IDelivery:
        """The delivery for incoming mail."""
        if self._delivery is None:
            self._delivery = self._make_delivery(self.settings, self._store.store)
        return self._delivery

    def _make_delivery(self, settings: Settings, store: IStore) -> IDelivery:
        if settings.catch_all is not None:
            return CatchAllDelivery(store, settings.catch_all)
        local = MailboxDelivery(store, settings.domains)
        if not IQueueStore.providedBy(store):
            if settings.relay.aliases is not None:
                raise SettingError("relay.aliases", f"the store has no queue: {settings.store}")
            return local
        return QueueDelivery(
            store,
            local,
            settings.relay.routes_for(settings.domains),
            relay_from=settings.relay.clients,
            lifetime=settings.relay.lifetime,
            delay_notice=settings.relay.delay_notice,
            aliases=self._aliases.aliases,
            srs=srs_of(self.data.folder, settings.domains),
            observer=self.observers,
            signing_keys=KeyFolder(self.data.folder / DKIM_FOLDER),
            hostname=settings.hostname,
            spool_folder=self.spool_folder,
        )

    @property
    def portal(self) -> Portal:
        """The portal for sign-in."""
        return self._accounts.portal

    @property
    def spool_folder(self) -> str:
        """The folder for messages while they arrive."""
        return str(self.data.spool_folder)

    def factory(self, listener: Listener) -> IProtocolFactory:
        """The factory for a listener, including TLS and the PROXY header."""
        server = self.factories.get(listener.protocol)
        if server is None:
            server = self.factories[listener.protocol] = _FACTORIES[listener.protocol](self)
        served: IProtocolFactory = server
        if listener.tls:
            served = TLSMemoryBIOFactory(self.tls.account_server, False, served, clock=self.reactor)
        proxies = self.settings.proxy.networks
        if proxies:
            served = ProxiedFactory(served, proxies, clock=self.reactor, limits=server.limits)
        return served


def _smtp(servers: ServersService, *, submission: bool = False) -> ServerFactory:
    settings, limits = servers.settings, servers.settings.limits
    return SMTPServerFactory(
        servers.delivery,
        clock=servers.reactor,
        hostname=settings.hostname,
        observer=servers.observers,
        portal=servers.portal,
        tls=servers.tls.account_server if submission else servers.tls.server,
        submission=submission,
        max_message_size=settings.max_message_size,
        spool_folder=servers.spool_folder,
        bare_newlines=settings.smtp.bare_newlines,
        strict_envelopes=settings.smtp.strict_envelopes,
        any_sender=settings.smtp.any_sender,
        xclient=settings.proxy.xclient,
        trace_account=settings.smtp.trace_account,
        mechanisms=settings.auth.mechanisms,
        limits=limits.submission if submission else limits.smtp,
    )


def _submission(servers: ServersService) -> ServerFactory:
    return _smtp(servers, submission=True)


def _lmtp(servers: ServersService) -> ServerFactory:
    settings = servers.settings
    return LMTPServerFactory(
        servers.delivery,
        clock=servers.reactor,
        hostname=settings.hostname,
        observer=servers.observers,
        tls=servers.tls.server,
        max_message_size=settings.max_message_size,
        spool_folder=servers.spool_folder,
        bare_newlines=settings.smtp.bare_newlines,
        strict_envelopes=settings.smtp.strict_envelopes,
        limits=settings.limits.lmtp,
    )


def _pop3(servers: ServersService) -> ServerFactory:
    settings = servers.settings
    return POP3ServerFactory(
        servers.portal,
        clock=servers.reactor,
        hostname=settings.hostname,
        observer=servers.observers,
        tls=servers.tls.account_server,
        mechanisms=settings.auth.mechanisms,
        policy=settings.pop3.policy,
        policies=settings.pop3.policies,
        limits=settings.limits.pop3,
    )


def _imap(servers: ServersService) -> ServerFactory:
    settings = servers.settings
    return IMAPServerFactory(
        servers.portal,
        clock=servers.reactor,
        hostname=settings.hostname,
        observer=servers.observers,
        tls=servers.tls.account_server,
        max_message_size=settings.max_message_size,
        spool_folder=servers.spool_folder,
        mechanisms=settings.auth.mechanisms,
        limits=settings.limits.imap,
    )


_FACTORIES: Mapping[str, Callable[[ServersService], ServerFactory]] = {
    "smtp": _smtp,
    "submission": _submission,
    "lmtp": _lmtp,
    "pop3": _pop3,
    "imap": _imap,
}
"""Makes the factory of each protocol of `mailproto.service._listeners.Listener`."""
