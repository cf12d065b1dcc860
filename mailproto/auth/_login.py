"""Signing in: credentials in, an account out, by a ``twisted.cred`` portal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials
from twisted.cred.error import LoginFailed, Unauthorized
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from mailproto import maillog
from mailproto.auth._checkers import LateFailure, wait_as
from mailproto.auth._credentials import IProxyLogin, ProxyLogin
from mailproto.auth._sasl_messages import SASLError
from mailproto.errors import AuthenticationFailed, MailError, TemporaryAuthenticationFailure, Unavailable
from mailproto.interfaces import IAccount, IRevocable

__all__ = ["Login", "failures_are_temporary", "login", "proxy_login"]

_log = Logger()


@dataclass(frozen=True, slots=True)
class Login:
    """An account that is signed in.

    :ivar logout: to be called once, when the session is over.
    """

    account: IAccount
    logout: Callable[[], None]


async def login(
    portal: Portal, credentials: ICredentials, session: IRevocable | None = None, *, mechanism: str = ""
) -> Login:
    """Sign in with ``credentials``, and log what became of it.

    :param session: what the realm gets as the ``mind``: it may revoke the session until `Login.logout`.
        One that is a `maillog.HasClient` is named in the log.
    :param mechanism: how the credentials came, for the log.
    :raises AuthenticationFailed: for an unknown name, a wrong secret, and for a kind of
        credentials that the portal knows nothing of.
    :raises TemporaryAuthenticationFailure: when a checker or the realm cannot tell now, or fails;
        of the latter the log has a full record.
    :raises MailError: whatever else a checker or the realm raises.
    """
    client = maillog.client_of(session)
    try:
        signed_in = await _login(portal, credentials, session)
    except MailError as error:
        maillog.sign_in_failed(client, mechanism, name_given(credentials), error)
        raise
    maillog.signed_in(client, signed_in.account.name, mechanism)
    return signed_in


async def _login(portal: Portal, credentials: ICredentials, session: IRevocable | None) -> Login:
    with failures_are_temporary():
        try:
            _, account, logout = await portal.login(credentials, session, IAccount)
        except (LoginFailed, Unauthorized) as error:
            if not isinstance(error, LateFailure):  # the realm's: there is no such account
                await wait_as(_checker_of(portal, credentials))
            raise AuthenticationFailed(detail=str(error)) from None
    return Login(cast(IAccount, account), logout)


def name_given(credentials: object) -> str | bytes:
    """The account that the client wants, as it came; "" if it leaves that to a token or a certificate."""
    name = getattr(credentials, "username", "") or getattr(credentials, "authzid", "")
    return name if isinstance(name, str | bytes) else ""


async def proxy_login(portal: Portal, name: str, session: IRevocable | None = None) -> Login:
    """Sign in the account ``name``, on the word of a proxy that is trusted.

    Where no checker takes `IProxyLogin`, it is for the realm alone to say whether there is such
    an account.

    :param session: see `login`.
    :raises AuthenticationFailed, TemporaryAuthenticationFailure, MailError: as `login`.
    """
    if IProxyLogin not in portal.checkers:
        portal = Portal(portal.realm, [_NameChecker()])
    return await login(portal, ProxyLogin(name), session, mechanism="XCLIENT")


@implementer(ICredentialsChecker)
class _NameChecker:
    """Takes any name: the realm says whether there is such an account."""

    credentialInterfaces = (IProxyLogin,)

    def requestAvatarId(self, credentials: IProxyLogin) -> Deferred[bytes | tuple[()]]:
        return succeed(credentials.username.encode())


def _checker_of(portal: Portal, credentials: ICredentials) -> object:
    """The one that the portal asks about ``credentials``."""
    checkers = portal.checkers.items()
    return next((checker for interface, checker in checkers if interface.providedBy(credentials)), None)


@contextmanager
def failures_are_temporary() -> Iterator[None]:
    """What goes wrong while a checker is asked is a `TemporaryAuthenticationFailure`."""
    try:
        yield
    except Unavailable as error:
        raise TemporaryAuthenticationFailure(detail=error.detail or error.text) from None
    except (MailError, SASLError):
        raise
    except Exception as error:
        _log.failure("while a client signs in")
        detail = f"{type(error).__name__}: see the traceback in the log"
        raise TemporaryAuthenticationFailure(detail=detail) from None
