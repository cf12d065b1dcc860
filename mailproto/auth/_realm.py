"""A realm over a store, and the portal that its servers need."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import Interface, implementer

from mailproto.auth._checker import DirectoryChecker
from mailproto.auth._passwords import PasswordVerifier
from mailproto.errors import NoSuchAccount
from mailproto.interfaces import IAccount, IStore

__all__ = ["StoreRealm", "store_portal"]

_Avatar: TypeAlias = tuple[type[Interface], object, Callable[[], None]]


@implementer(IRealm)
class StoreRealm:
    """Gives the accounts of an `IStore` to a portal."""

    def __init__(self, store: IStore) -> None:
        self._store = store

    def requestAvatar(
        self, avatar_id: bytes | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> Deferred[_Avatar]:
        """(IAccount, the account, what signs it out).

        Fails with `UnauthorizedLogin` for the anonymous, and if the account has just been deleted.
        """
        return Deferred.fromCoroutine(self._avatar(avatar_id, interfaces))

    async def _avatar(self, avatar_id: bytes | tuple[()], interfaces: tuple[type[Interface], ...]) -> _Avatar:
        if not avatar_id or IAccount not in interfaces:
            raise UnauthorizedLogin("an IAccount for somebody with a name is all there is")
        name = avatar_id.decode()
        try:
            return IAccount, await self._store.account(name), _nothing_to_release
        except NoSuchAccount:
            raise UnauthorizedLogin(f"{name} is gone") from None


def store_portal(store: IStore, reactor: IReactorTime) -> Portal:
    """What the POP3, IMAP and submission servers of one store need to sign people in.

    More checkers may be registered with it, as `TokenChecker` and `CertificateChecker`.

    :param reactor: its shutdown ends the threads that check passwords.
    """
    return Portal(StoreRealm(store), [DirectoryChecker(store.directory, PasswordVerifier(reactor))])


def _nothing_to_release() -> None:
    """An account of a store holds nothing for a session."""
