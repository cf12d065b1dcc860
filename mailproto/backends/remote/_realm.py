"""Clients of ours sign in at another server, with their own passwords."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeAlias, cast

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from zope.interface import Interface, implementer
from zope.interface.interface import InterfaceClass

from mailproto._arguments import check_bool, check_call, check_type, check_whole
from mailproto._reactor import installed
from mailproto._twisted_arguments import check_clock
from mailproto.auth import Password
from mailproto.awaiting import Result, settle
from mailproto.backends.remote._account import RemoteAccount
from mailproto.client import ServerAddress
from mailproto.client.errors import AuthenticationRefused, ClientError
from mailproto.errors import TemporaryAuthenticationFailure, Unavailable
from mailproto.imap import IMAPClient
from mailproto.interfaces import IAccount, IAddOns, IRevocable
from mailproto.typing import Reactor

__all__ = ["RemoteRealm", "remote_portal"]

_Avatar: TypeAlias = tuple[type[Interface], object, Callable[[], None]]
_ServerOf: TypeAlias = Callable[[str], Result[ServerAddress]]
_View: TypeAlias = Callable[[RemoteAccount], IAccount]

_UNUSED = 30.0
"""Seconds until an account is closed that nobody has signed in to after its password was checked."""


class _SignedIn:
    """An account, with the password that makes its connections as long as somebody is signed in.

    :ivar password: "" if it is not kept.
    :ivar sessions: how many there are, and logins under way.
    :ivar minds: of the sessions.
    """

    def __init__(self, account: RemoteAccount) -> None:
        self.account = account
        self.password = ""
        self.sessions = 0
        self.minds: dict[object, object] = {}
        self._timer: IDelayedCall | None = None

    def expire(self, clock: Reactor, end: Callable[[_SignedIn], None]) -> None:
        """End it, unless somebody signs in soon."""
        self.stay()
        self._timer = clock.callLater(_UNUSED, end, self)

    def revoke(self) -> None:
        """End all sessions: their clients have to sign in again."""
        self.password = ""
        for mind in list(self.minds.values()):
            if IRevocable.providedBy(mind):
                mind.revoke()

    def stay(self) -> None:
        """Somebody has signed in."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None


@implementer(IRealm, ICredentialsChecker, IAddOns)
class RemoteRealm:
    """A realm and a checker in one: whoever the other server lets in gets his account there.

    All sessions of one name share a few connections.  The password is kept in memory, and nowhere else, until
    the last of these sessions has ended, because connections that are lost are made again; or else it is not
    kept (``keeps_passwords``), and the sessions end when the last connection is lost.  They end as well when
    the other server does not accept the password any more.

    :param server: where accounts are, without credentials; or a function of the name that a client gives.
    :param reactor: makes the connections; None for the installed one.
    :param connections: the most connections of one account.
    :param keeps_passwords: False to forget each password when it was checked.  Only logins bring the account
        connections then, so that changes in other mailboxes may be told later.
    :param finds_there: as for `RemoteAccount`.
    :param view: called with each account; returns what is served instead, such as a `FilteredAccount`.
    :param add_ons: the optional contracts that all these accounts are known to provide (`IAddOns`).
    :raises TypeError: an argument is none of these.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(
        self,
        server: ServerAddress | _ServerOf,
        reactor: Reactor | None = None,
        *,
        connections: int = 3,
        keeps_passwords: bool = True,
        finds_there: bool = False,
        view: _View | None = None,
        add_ons: Iterable[InterfaceClass] = (),
    ) -> None:
        reactor = cast(Reactor, installed()) if reactor is None else reactor
        check_clock("reactor", reactor)
        if not isinstance(server, ServerAddress):
            check_call("server", server, "a ServerAddress, or a function of a name that returns one", 1)
        check_whole("connections", connections, 1)
        check_bool("keeps_passwords", keeps_passwords)
        if view is not None:
            check_call("view", view, "a function of an account, or None", 1)
        self._server = server
        self._reactor = reactor
        self._connections = connections
        self._keeps_passwords = keeps_passwords
        self._finds_there = finds_there
        self._view = view
        self._add_ons = frozenset(add_ons)
        self._signed_in: dict[str, _SignedIn] = {}

    @property
    def add_ons(self) -> frozenset[InterfaceClass]:
        """See `IAddOns.add_ons`: as given."""
        return self._add_ons

    # -- the checker

    def requestAvatarId(self, credentials: object) -> Deferred[bytes | tuple[()]]:
        """Sign in at the other server.

        It fails with `UnauthorizedLogin` if that refuses, and with `TemporaryAuthenticationFailure` if it
        cannot be asked.
        """
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: object) -> bytes | tuple[()]:
        name = _text(getattr(credentials, "username", ""))
        password = _text(getattr(credentials, "password", ""))
        if not name or not password:
            raise UnauthorizedLogin("no name or no password")
        try:
            client = await self._open(name, password)
        except AuthenticationRefused as error:
            raise UnauthorizedLogin(f"the other server refuses {name}: {error}") from None
        except ClientError as error:
            raise TemporaryAuthenticationFailure(detail=str(error)) from error
        signed_in = self._signed_in.get(name)
        if signed_in is None:
            signed_in = self._signed_in[name] = self._begin(name)
        if self._keeps_passwords:
            signed_in.password = password
        signed_in.sessions += 1  # so that the end of another session does not close it meanwhile
        try:
            await signed_in.account.connect(client)
        finally:
            signed_in.sessions -= 1
            signed_in.expire(self._reactor, self._end_unused)
        return name.encode()

    def _begin(self, name: str) -> _SignedIn:
        async def again() -> IMAPClient:
            password = made.password
            if not password:
                raise Unavailable(detail="the password is not kept, so that the client has to sign in again")
            try:
                return await self._open(name, password)
            except AuthenticationRefused:
                if made.password == password:  # and nobody has signed in with another one meanwhile
                    made.revoke()
                raise

        def lost() -> None:
            if not made.password and not made.account.connections.are_there:
                made.revoke()

        account = RemoteAccount(
            name, self._reactor, again, connections=self._connections, finds_there=self._finds_there
        )
        made = _SignedIn(account)
        made.account.watching.when_lost = lost
        return made

    async def _open(self, name: str, password: str) -> IMAPClient:
        server = self._server if isinstance(self._server, ServerAddress) else await settle(self._server(name))
        check_type("server", server, ServerAddress, "a ServerAddress")
        return await IMAPClient.open(self._reactor, replace(server, credentials=Password(name, password)))

    # -- the realm

    def requestAvatar(
        self, avatar_id: bytes | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> _Avatar:
        """(IAccount, the account, a function that signs out).

        :raises UnauthorizedLogin: nobody has signed in by that name.
        """
        signed_in = self._signed_in.get(avatar_id.decode()) if avatar_id else None
        if signed_in is None or IAccount not in interfaces:
            raise UnauthorizedLogin("this realm gives an IAccount to whom its checker has let in")
        account = signed_in.account
        avatar = account if self._view is None else self._view(account)
        signed_in.sessions += 1
        signed_in.stay()
        token = object()
        signed_in.minds[token] = mind
        is_over = False

        def logout() -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                del signed_in.minds[token]
                signed_in.sessions -= 1
                self._end_unused(signed_in)

        return cast(type[Interface], IAccount), avatar, logout

    def _end_unused(self, signed_in: _SignedIn) -> None:
        """Forget an account that nobody uses, and its password."""
        if signed_in.sessions:
            return
        signed_in.stay()
        name = signed_in.account.name
        if self._signed_in.get(name) is signed_in:
            del self._signed_in[name]
        signed_in.password = ""
        signed_in.account.close()


def remote_portal(
    server: ServerAddress | _ServerOf,
    reactor: Reactor | None = None,
    *,
    connections: int = 3,
    keeps_passwords: bool = True,
    finds_there: bool = False,
    view: _View | None = None,
    add_ons: Iterable[InterfaceClass] = (),
) -> Portal:
    """A portal for IMAP and POP3 servers, whose clients sign in at another server; see `RemoteRealm`."""
    realm = RemoteRealm(
        server,
        reactor,
        connections=connections,
        keeps_passwords=keeps_passwords,
        finds_there=finds_there,
        view=view,
        add_ons=add_ons,
    )
    return Portal(realm, [realm])


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
