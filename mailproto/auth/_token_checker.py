"""A checker for bearer tokens, which a function of yours looks at."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import cast

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from mailproto.accounts import account_key
from mailproto.auth._credentials import IBearerToken
from mailproto.auth._late import FAILURE_DELAY, LateChecker
from mailproto.errors import AuthenticationFailed

__all__ = ["TokenChecker"]


@implementer(ICredentialsChecker)
class TokenChecker(LateChecker):
    """Checks the tokens of OAUTHBEARER and XOAUTH2.

    :param validate: of (the name that the client gave, or "", and the token): the account's name,
        at once or awaited.  It gives None or raises `AuthenticationFailed` if the token is not
        good, or not that name's, and raises `mailproto.errors.Unavailable` if it cannot tell now.
        The client may write the name as it likes: `mailproto.accounts.account_key` compares.
    """

    credentialInterfaces = (IBearerToken,)

    def __init__(
        self,
        validate: Callable[[str, str], Awaitable[str | None] | str | None],
        clock: IReactorTime,
        *,
        failure_delay: float = FAILURE_DELAY,
    ) -> None:
        super().__init__(clock, failure_delay)
        self._validate = validate

    async def check(self, credentials: ICredentials) -> str:
        """See `LateChecker.check`."""
        given = cast(IBearerToken, credentials)
        try:
            name = self._validate(given.username, given.token)
            if inspect.isawaitable(name):
                name = await name
        except AuthenticationFailed as error:
            raise UnauthorizedLogin(error.detail or "token refused") from None
        if name is None:
            raise UnauthorizedLogin("token refused")
        if "@" in given.username and "@" in name and account_key(given.username) != account_key(name):
            raise UnauthorizedLogin("the token is another account's")
        return name
