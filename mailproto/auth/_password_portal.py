"""A portal for the common case: a function that checks passwords, or a mapping that has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from zope.interface import Interface, implementer

from mailproto._arguments import check_call
from mailproto.auth._avatars import ACCOUNT, IDENTITY
from mailproto.auth._password_checkers import PasswordCheck, password_checker
from mailproto.auth._server_mechanisms import ServerMechanism
from mailproto.awaiting import Result, settle
from mailproto.interfaces import IAccount, IIdentity

__all__ = ["password_portal"]

_Avatar: TypeAlias = tuple[type[Interface], object, Callable[[], None]]
_AccountOf: TypeAlias = Callable[[str], Result[IAccount]]


def password_portal(
    check: PasswordCheck | Mapping[str, str],
    mechanisms: Sequence[str | type[ServerMechanism]] = ("PLAIN", "LOGIN"),
    *,
    account: _AccountOf | None = None,
) -> Portal:
    """A portal for servers whose clients sign in with a name and a password.

    ``SMTPServerFactory(delivery, portal=password_portal({"alice": "secret"}), auth_required=True)``

    :param check: a function ``check(username, password)``, both `str`; it may be a coroutine function or
        return a ``Deferred`` or an asyncio future.  It returns True or the account's name to accept, False
        or None to refuse; anything else is an error in the log, and a temporary failure.  It must not
        block: see ``docs/authentication.md``.  Or a mapping of names to passwords, which is read once; all
        spellings of a name are found (`mailproto.accounts.account_key`).
    :param mechanisms: the SASL mechanisms that are offered, and no others.  A function can check PLAIN and
        LOGIN; a mapping also SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, and APOP, which is a command of POP3.
        IMAP's LOGIN and POP3's USER are accepted if PLAIN or LOGIN is among them.
    :param account: for POP3 and IMAP: a function that returns the `IAccount` of a name, such as
        `mailproto.interfaces.IStore.account`.  SMTP needs none.
    :raises ValueError: a mechanism does not exist, or cannot be checked in this way.
    :raises TypeError: ``check`` is neither, or does not take two arguments; or ``account`` is no function.
    """
    if account is not None:
        check_call("account", account, "a function of a name that returns an IAccount, or None", 1)
    return Portal(NameRealm(account), [password_checker(check, mechanisms)])


@implementer(IIdentity)
@dataclass(frozen=True, slots=True)
class Identity:
    """See `IIdentity`."""

    name: str


@implementer(IRealm)
class NameRealm:
    """Gives an `IIdentity` for each name, or the account that a function returns."""

    def __init__(self, account: _AccountOf | None) -> None:
        self._account = account

    @property
    def gives_accounts(self) -> bool:
        """Whether it can serve POP3 and IMAP (`checked_portal`)."""
        return self._account is not None

    def requestAvatar(
        self, avatar_id: bytes | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> Deferred[_Avatar]:
        """(`IIdentity`, the name) or (`IAccount`, the account), and a function that signs out."""
        return Deferred.fromCoroutine(self._avatar(avatar_id))

    async def _avatar(self, avatar_id: bytes | tuple[()]) -> _Avatar:
        if not avatar_id:
            raise UnauthorizedLogin("this realm needs a name")
        name = avatar_id.decode()
        if self._account is None:
            return IDENTITY, Identity(name), _nothing_to_release
        account = await settle(self._account(name))
        if not IAccount.providedBy(account):
            raise TypeError(
                f"password_portal's function account returned a {type(account).__qualname__}, which does not"
                " provide IAccount"
            )
        return ACCOUNT, account, _nothing_to_release


def _nothing_to_release() -> None:
    """An identity holds nothing."""
