"""A realm over a store, and a portal for its servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from zope.interface import Interface, implementer
from zope.interface.interface import InterfaceClass

from mailproto._reactor import installed
from mailproto._twisted_arguments import check_clock, check_contract, check_optional_clock
from mailproto.auth._avatars import ACCOUNT
from mailproto.auth._checkers import DirectoryChecker
from mailproto.auth._passwords import PasswordVerifier
from mailproto.auth._records import is_disabled
from mailproto.auth._signed_in import SignedInSessions
from mailproto.awaiting import settle
from mailproto.errors import NoSuchAccount
from mailproto.interfaces import IAccount, IAccountChanges, IAddOns, IRevocable, IStore
from mailproto.typing import ReactorTime

__all__ = ["StoreRealm", "add_ons_of", "store_portal"]

_Avatar: TypeAlias = tuple[type[Interface], object, Callable[[], None]]


@implementer(IRealm, IAddOns)
class StoreRealm:
    """A ``twisted.cred`` realm: its avatars are the accounts of an `IStore`.

    A ``mind`` that is an `IRevocable` is revoked when the account is deleted, disabled or given a new
    password, if the store's directory reports that (`IAccountChanges`).

    :param clock: the reactor: many sessions are then revoked in several turns; None to revoke them at once.
    """

    def __init__(self, store: IStore, clock: ReactorTime | None = None) -> None:
        check_contract("store", store, IStore)
        check_optional_clock("clock", clock)
        self._store = store
        directory = store.directory
        self._signed_in = (
            SignedInSessions(directory, clock) if IAccountChanges.providedBy(directory) else None
        )

    @property
    def add_ons(self) -> frozenset[InterfaceClass]:
        """See `IAddOns.add_ons`: the store's."""
        return self._store.add_ons

    def requestAvatar(
        self, avatar_id: bytes | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> Deferred[_Avatar]:
        """Returns (IAccount, the account, a function that signs out).

        It fails with `UnauthorizedLogin` for the anonymous user, and if the account is disabled or has just
        been deleted.
        """
        return Deferred.fromCoroutine(self._avatar(avatar_id, mind, interfaces))

    async def _avatar(
        self, avatar_id: bytes | tuple[()], mind: object, interfaces: tuple[type[Interface], ...]
    ) -> _Avatar:
        if not avatar_id or IAccount not in interfaces:
            raise UnauthorizedLogin("this realm gives an IAccount, for a name, and nothing else")
        name = avatar_id.decode()
        logout = _nothing_to_release
        try:
            if self._signed_in is not None and IRevocable.providedBy(mind):
                logout = await self._signed_in.add(name, mind)
            if is_disabled(await settle(self._store.directory.password_hash(name))):
                raise UnauthorizedLogin(f"{name} is disabled")
            return ACCOUNT, await settle(self._store.account(name)), logout
        except BaseException as error:
            logout()
            if isinstance(error, NoSuchAccount):
                raise UnauthorizedLogin(f"{name} is gone") from None
            raise


def add_ons_of(portal: Portal) -> frozenset[InterfaceClass]:
    """The optional contracts that all accounts and mailboxes that ``portal`` gives provide (`IAddOns`).

    It is empty for a portal whose realm does not provide `IAddOns`.
    """
    realm = getattr(portal, "realm", None)
    return realm.add_ons if IAddOns.providedBy(realm) else frozenset()


def store_portal(store: IStore, reactor: ReactorTime | None = None) -> Portal:
    """A portal over a store, for POP3, IMAP and submission servers.

    More checkers may be registered with it, such as `TokenChecker` and `CertificateChecker`.

    :param reactor: None for the installed one.  Its shutdown ends the threads that check passwords.  A
        `Clock` has no threads: tests
        with one make their own, ``Portal(StoreRealm(store, clock), [checker])``, with any checker of
        ``twisted.cred``.
    """
    check_contract("store", store, IStore)
    reactor = installed() if reactor is None else reactor
    check_clock("reactor", reactor)
    return Portal(StoreRealm(store, reactor), [DirectoryChecker(store.directory, PasswordVerifier(reactor))])


def _nothing_to_release() -> None:
    """A session holds nothing of a store that has to be released."""
