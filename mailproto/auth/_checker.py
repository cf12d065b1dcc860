"""Signing in through ``twisted.cred``: a checker over a directory, a realm over a store."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeAlias, cast

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials, IUsernamePassword
from twisted.cred.error import LoginFailed, Unauthorized, UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import Interface, implementer

from mailproto.auth._passwords import PasswordVerifier
from mailproto.errors import AuthenticationFailed, NoSuchAccount
from mailproto.interfaces import IAccount, IDirectory, IStore

__all__ = ["FAILURE_DELAY", "DirectoryChecker", "Login", "StoreRealm", "login", "store_portal"]

_Avatar: TypeAlias = tuple[type[Interface], object, Callable[[], None]]

FAILURE_DELAY = 1.5
"""Seconds after which a failed login is answered: guessing is slow, a typing error is no pain."""


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody is signed in.

    :ivar logout: to be called once, when the session is over.
    """

    account: IAccount
    logout: Callable[[], None]


async def login(portal: Portal, credentials: ICredentials) -> Login:
    """Sign in with ``credentials``.

    :raises AuthenticationFailed: for an unknown name, a wrong secret, and for a kind of
        credentials that the portal knows nothing of.
    """
    try:
        _, account, logout = await portal.login(credentials, None, IAccount)
    except (LoginFailed, Unauthorized) as error:
        raise AuthenticationFailed(detail=str(error)) from None
    return Login(cast(IAccount, account), logout)


@implementer(ICredentialsChecker)
class DirectoryChecker:
    """Checks names and passwords, octets of UTF-8 or `str`, against an `IDirectory`.

    A failure is answered `FAILURE_DELAY` seconds late, whatever the reason, on every
    protocol.  The avatar's id is the account's name as the directory
    keeps it, in UTF-8 (cred's avatar ids are octets).

    :param verifier: also gives the clock.
    """

    credentialInterfaces = (IUsernamePassword,)
    log = Logger()

    def __init__(
        self, directory: IDirectory, verifier: PasswordVerifier, *, failure_delay: float = FAILURE_DELAY
    ) -> None:
        self._directory = directory
        self._verifier = verifier
        self._failure_delay = failure_delay

    def requestAvatarId(self, credentials: ICredentials) -> Deferred[bytes | tuple[()]]:
        """The account's name in UTF-8; fails with `UnauthorizedLogin`."""
        given = cast(IUsernamePassword, credentials)
        return Deferred.fromCoroutine(self._check(given.username, given.password))

    async def _check(self, given_name: bytes | str, given_password: bytes | str) -> bytes | tuple[()]:
        try:
            name, password = (_text(given_name), _text(given_password))
        except UnicodeDecodeError:
            await self._fail("not UTF-8")
        try:
            kept = await self._directory.find(name)
            password_hash = await self._directory.password_hash(kept)
        except NoSuchAccount:
            kept, password_hash = "", ""
        if not await self._verifier.verify(name.casefold(), password_hash, password):
            await self._fail(f"wrong password for {kept}" if kept else "no such account")
        return kept.encode()

    async def _fail(self, reason: str) -> NoReturn:
        # What was given as a name is not logged: it may be a password in the wrong field.
        await deferLater(self._verifier.clock, self._failure_delay)
        raise UnauthorizedLogin(reason)


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

    :param reactor: its shutdown ends the threads that check passwords.
    """
    return Portal(StoreRealm(store), [DirectoryChecker(store.directory, PasswordVerifier(reactor))])


def _nothing_to_release() -> None:
    """An account of a store holds nothing for a session."""


def _text(value: bytes | str) -> str:
    """A name or password as text; names typed in different compositions are one (NFC)."""
    return unicodedata.normalize("NFC", value.decode() if isinstance(value, bytes) else value)
