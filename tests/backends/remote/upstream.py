"""A server of ours with a store in memory, and a store over it whose accounts are remote ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.cred.portal import IRealm
from twisted.internet import reactor as installed
from twisted.internet.defer import DeferredList
from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from mailproto.auth import Password, password_portal
from mailproto.backends import MemoryStore
from mailproto.backends.remote import RemoteAccount
from mailproto.client import ServerAddress
from mailproto.content import Octets
from mailproto.imap import IMAPClient, IMAPServerFactory
from mailproto.interfaces import IAddOns, IStore
from mailproto.model import Placement

reactor: Any = installed


@implementer(IRealm, IAddOns)
class _Realm:
    gives_accounts = True

    def __init__(self, inner: Any, store: MemoryStore) -> None:
        self.requestAvatar = inner.requestAvatar
        self.add_ons = store.add_ons


class Upstream:
    """An IMAP server on a free port that lets in everybody whose password is not "wrong"."""

    def __init__(self, store: MemoryStore, **limits: Any) -> None:
        self.store = store
        portal = password_portal(lambda name, password: password != "wrong", account=store.account)
        # A store's own realm lets nobody in whose account has no password.
        portal.realm = _Realm(portal.realm, store)
        self.factory = IMAPServerFactory(portal, **limits)
        self.protocols: list[Any] = []
        build = self.factory.buildProtocol

        def build_protocol(address: Any) -> Any:
            made = build(address)
            self.protocols.append(made)
            return made

        self.factory.buildProtocol = build_protocol  # type: ignore[method-assign]
        self.port = reactor.listenTCP(0, self.factory, interface="127.0.0.1")
        self.number: int = self.port.getHost().port
        self.without: frozenset[str] = frozenset()

    def address(self, name: str = "", password: str = "secret") -> ServerAddress:
        return ServerAddress(
            "127.0.0.1",
            self.number,
            tls="none",
            credentials=Password(name, password) if name else None,
        )

    async def open(self, name: str) -> IMAPClient:
        client = await IMAPClient.open(reactor, self.address(name))
        if self.without:  # a server that offers less
            session = client._session
            session.capabilities = (session.capabilities or frozenset()) - self.without
        return client

    async def stop(self) -> None:
        stopped = self.port.stopListening()
        if stopped is not None:
            await stopped

    def start_again(self) -> None:
        self.port = reactor.listenTCP(self.number, self.factory, interface="127.0.0.1")


@implementer(IStore)
class RemoteStore:
    """Accounts on another server, as a store: only for the conformance suite.

    Accounts and deliveries are the other server's own.
    """

    add_ons: frozenset[InterfaceClass] = frozenset()

    def __init__(self, without: frozenset[str] = frozenset(), add_ons: Sequence[InterfaceClass] = ()) -> None:
        self.inner = MemoryStore()
        self.add_ons = frozenset(add_ons)
        self.without = without
        self.accounts: list[RemoteAccount] = []

    @property
    def directory(self) -> Any:
        return self.inner.directory

    async def start(self) -> None:
        await self.inner.start()  # type: ignore[misc]
        self.upstream = Upstream(self.inner)
        self.upstream.without = self.without

    async def stop(self) -> None:
        await DeferredList([account.close() for account in self.accounts])
        await self.upstream.stop()
        await self.inner.stop()  # type: ignore[misc]

    async def account(self, name: str) -> RemoteAccount:
        name = await self.directory.find(name)
        account = RemoteAccount(name, reactor, lambda: self.upstream.open(name), poll=0.2)
        self.accounts.append(account)
        await account.connect()
        return account

    async def deliver(
        self, content: Octets, placements: Sequence[Placement], internal_date: int | None = None
    ) -> Any:
        return await self.inner.deliver(content, placements, internal_date)  # type: ignore[misc]
