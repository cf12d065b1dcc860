"""Signs in to an account through a ``twisted.cred`` portal."""

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

from mailproto.auth._checkers import LateFailure, delay_like
from mailproto.auth._credentials import IProxyLogin, ProxyLogin
from mailproto.auth._reporting import sign_in_refused
from mailproto.auth._sasl_messages import SASLError
from mailproto.errors import AuthenticationFailed, MailError, TemporaryAuthenticationFailure, Unavailable
from mailproto.interfaces import IAccount, IRevocable
from mailproto.maillog import observer_of
from mailproto.observing import SignedIn, client_of

__all__ = ["Login", "failures_are_temporary", "login", "proxy_login"]

_log = Logger()


@dataclass(frozen=True, slots=True)
class Login:
    """A signed-in account.

    :ivar logout: a function to call once, when the session is over.
    """

    account: IAccount
    logout: Callable[[], None]


async def login(
    portal: Portal, credentials: ICredentials, session: IRevocable | None = None, *, mechanism: str = ""
) -> Login:
    """Sign in with ``credentials``, and log the result.

    :param session: passed to the realm as the ``mind``; the realm may revoke it until `Login.logout`. If it
        has a ``client`` and an ``observer``, as server connections do, the observer is told; otherwise
        the mail log.
    :param mechanism: the SASL mechanism or command, for the log.
    :raises AuthenticationFailed: the name is unknown, the secret is wrong, or the portal has no checker for
        such credentials.
    :raises TemporaryAuthenticationFailure: a checker or the realm is unavailable, or fails; the log then
        has the traceback.
    :raises MailError: any other error that a checker or the realm raises.
    """
    try:
        signed_in = await _login(portal, credentials, session)
    except MailError as error:
        sign_in_refused(session, mechanism, name_given(credentials), error)
        raise
    event = SignedIn(client_of(session), signed_in.account.name, mechanism)
    observer_of(session).signed_in(event)
    return signed_in


async def _login(portal: Portal, credentials: ICredentials, session: IRevocable | None) -> Login:
    with failures_are_temporary():
        try:
            _, account, logout = await portal.login(credentials, session, IAccount)
        except (LoginFailed, Unauthorized) as error:
            if not isinstance(error, LateFailure):  # from the realm: there is no such account
                await delay_like(_checker_of(portal, credentials))
            raise AuthenticationFailed(detail=str(error)) from None
    return Login(cast(IAccount, account), logout)


def name_given(credentials: object) -> str | bytes:
    """The name as the client gave it; "" if it leaves that to a token or a certificate."""
    name = getattr(credentials, "username", "") or getattr(credentials, "authzid", "")
    return name if isinstance(name, str | bytes) else ""


async def proxy_login(portal: Portal, name: str, session: IRevocable | None = None) -> Login:
    """Sign in the account ``name`` for a trusted proxy, without a password.

    If the portal has no checker for `IProxyLogin`, the realm decides whether there is such an account.

    :param session: see `login`.
    :raises AuthenticationFailed, TemporaryAuthenticationFailure, MailError: see `login`.
    """
    if IProxyLogin not in portal.checkers:
        portal = Portal(portal.realm, [_NameChecker()])
    return await login(portal, ProxyLogin(name), session, mechanism="XCLIENT")


@implementer(ICredentialsChecker)
class _NameChecker:
    """Accepts any name: the realm decides whether there is such an account."""

    credentialInterfaces = (IProxyLogin,)

    def requestAvatarId(self, credentials: IProxyLogin) -> Deferred[bytes | tuple[()]]:
        return succeed(credentials.username.encode())


def _checker_of(portal: Portal, credentials: ICredentials) -> object:
    """The portal's checker for ``credentials``."""
    checkers = portal.checkers.items()
    return next((checker for interface, checker in checkers if interface.providedBy(credentials)), None)


@contextmanager
def failures_are_temporary() -> Iterator[None]:
    """Turn unexpected errors of a checker or a realm into `TemporaryAuthenticationFailure`."""
    try:
        yield
    except Unavailable as error:
        raise TemporaryAuthenticationFailure(detail=error.detail or error.text) from None
    except (MailError, SASLError):
        raise
    except Exception as error:
        _log.failure("error while a client signs in")
        detail = f"{type(error).__name__}: see the traceback in the log"
        raise TemporaryAuthenticationFailure(detail=detail) from None
