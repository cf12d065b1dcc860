"""Signs in to an account through a ``twisted.cred`` portal."""

from __future__ import annotations

from asyncio import CancelledError
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
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from mailproto.auth._avatars import ACCOUNT, IDENTITY, RealmFault, checked_avatar
from mailproto.auth._credentials import IProxyLogin, ProxyLogin
from mailproto.auth._reporting import sign_in_refused
from mailproto.auth._sasl_messages import SASLError
from mailproto.awaiting import settle
from mailproto.errors import (
    AuthenticationFailed,
    AuthorizationFailed,
    MailError,
    NoSuchAccount,
    TemporaryAuthenticationFailure,
    Unavailable,
)
from mailproto.interfaces import IAccount, IRevocable
from mailproto.maillog import observer_of
from mailproto.observing import SignedIn, client_of

__all__ = ["CheckerFault", "Login", "login", "proxy_login", "sign_in_errors"]

_log = Logger()


class CheckerFault(TemporaryAuthenticationFailure):
    """A checker or a realm has failed in a way that it did not announce (`Unavailable`): a fault in it."""


@dataclass(frozen=True, slots=True)
class Login:
    """A signed-in account.

    :ivar name: the account's name.
    :ivar avatar: what the realm gave.
    :ivar logout: a function to call once, when the session is over.
    """

    name: str
    avatar: object
    logout: Callable[[], None]

    @property
    def account(self) -> IAccount:
        """The avatar as an account; only where the server asked for one."""
        return cast(IAccount, self.avatar)


async def login(
    portal: Portal,
    credentials: ICredentials,
    session: IRevocable | None = None,
    *,
    mechanism: str = "",
    wanted: InterfaceClass = IAccount,
    acts_as_another: bool = False,
) -> Login:
    """Sign in with ``credentials``, and log the result; a failure is not delayed here.

    :param session: passed to the realm as the ``mind``; the realm may revoke it until `Login.logout`. If it
        has a ``client`` and an ``observer``, as server connections do, the observer is told; otherwise
        the mail log.
    :param mechanism: the SASL mechanism or command, for the log.
    :param wanted: `IAccount`, or `IIdentity` if a name is enough.
    :param acts_as_another: whether the client wants to act as another account, which is never allowed.
    :raises AuthorizationFailed: so it is, and the secret is right.
    :raises AuthenticationFailed: the name is unknown, the secret is wrong, or the portal has no checker for
        such credentials.
    :raises TemporaryAuthenticationFailure: a checker or the realm is unavailable, or fails; the log then
        has the traceback.
    :raises MailError: any other error that a checker or the realm raises.
    """
    try:
        signed_in = await _login(portal, credentials, session, wanted)
        if acts_as_another:
            signed_in.logout()
            raise AuthorizationFailed(detail="wants to act as another account")
    except MailError as error:
        sign_in_refused(session, mechanism, name_given(credentials), error)
        raise
    event = SignedIn(client_of(session), signed_in.name, mechanism)
    observer_of(session).signed_in(event)
    return signed_in


async def _login(
    portal: Portal, credentials: ICredentials, session: IRevocable | None, wanted: InterfaceClass
) -> Login:
    # The realm may choose: one that knows accounts need not know that a name is enough.
    interfaces = (ACCOUNT,) if wanted is IAccount else (ACCOUNT, IDENTITY)
    with sign_in_errors():
        asked = portal.login(credentials, session, *interfaces)
        if isinstance(asked, Deferred):
            asked.addErrback(_without_traceback)
        # The second time for a realm whose method is a coroutine function.
        result = await settle(await settle(asked))
        name, avatar, logout = checked_avatar(portal.realm, result, wanted)
    return Login(name, avatar, logout)


def name_given(credentials: object) -> str | bytes:
    """The name as the client gave it; "" if it leaves that to a token or a certificate."""
    name = getattr(credentials, "username", "") or getattr(credentials, "authzid", "")
    return name if isinstance(name, str | bytes) else ""


async def proxy_login(
    portal: Portal, name: str, session: IRevocable | None = None, *, wanted: InterfaceClass = IAccount
) -> Login:
    """Sign in the account ``name`` for a trusted proxy, without a password.

    If the portal has no checker for `IProxyLogin`, the realm decides whether there is such an account.

    The parameters and errors are those of `login`.
    """
    if IProxyLogin not in portal.checkers:
        portal = Portal(portal.realm, [_NameChecker()])
    return await login(portal, ProxyLogin(name), session, mechanism="XCLIENT", wanted=wanted)


@implementer(ICredentialsChecker)
class _NameChecker:
    """Accepts any name: the realm decides whether there is such an account."""

    credentialInterfaces = (IProxyLogin,)

    def requestAvatarId(self, credentials: IProxyLogin) -> Deferred[bytes | tuple[()]]:
        return succeed(credentials.username.encode())


def _without_traceback(failure: Failure) -> Failure:
    """A refusal that does not keep what was done to find it out.

    The frames of a traceback have the Deferred that has failed, which has the traceback, and the session:
    only the garbage collector would free them, thousands at once if somebody guesses passwords.
    """
    error = failure.value
    if isinstance(error, LoginFailed | Unauthorized):
        failure.tb = error.__traceback__ = None
    return failure


@contextmanager
def sign_in_errors() -> Iterator[None]:
    """Turn the errors of a checker or a realm into the errors of `login`."""
    try:
        yield
    except (LoginFailed, Unauthorized) as error:
        error.__traceback__ = None  # see `_without_traceback`
        raise AuthenticationFailed(detail=str(error)) from None
    except NoSuchAccount as error:  # its own answer would tell the client so
        raise AuthenticationFailed(detail=error.detail or error.text) from None
    except Unavailable as error:
        raise TemporaryAuthenticationFailure(detail=error.detail or error.text) from None
    except (MailError, SASLError):
        raise
    except RealmFault as error:
        _log.error("nobody can sign in: {error}", error=error)
        raise CheckerFault(detail=str(error)) from None
    except (Exception, CancelledError) as error:  # asyncio's error of a cancelled task is no Exception
        _log.failure("error while a client signs in")
        detail = f"{type(error).__name__}: see the traceback in the log"
        raise CheckerFault(detail=detail) from None
