"""A checker whose failures are late: guessing is slow, a typing error is no pain."""

from __future__ import annotations

import abc

from twisted.cred.credentials import ICredentials
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

__all__ = ["FAILURE_DELAY", "LateChecker", "LateFailure", "wait_as"]

FAILURE_DELAY = 1.5
"""Seconds after which a failed login is answered."""


class LateFailure(UnauthorizedLogin):
    """A failed login that has been delayed already."""


class LateChecker(abc.ABC):
    """What checkers have in common: an avatar's id is the account's name in UTF-8 (cred's are octets).

    A failure is answered ``failure_delay`` seconds late, whatever the reason, on every protocol.
    """

    def __init__(self, clock: IReactorTime, failure_delay: float) -> None:
        self._clock = clock
        self._failure_delay = failure_delay

    def requestAvatarId(self, credentials: ICredentials) -> Deferred[bytes | tuple[()]]:
        """The account's name in UTF-8; fails with `LateFailure`."""
        return Deferred.fromCoroutine(self._request(credentials))

    async def _request(self, credentials: ICredentials) -> bytes | tuple[()]:
        try:
            return (await self.check(credentials)).encode()
        except UnauthorizedLogin as error:
            await self.late()
            raise LateFailure(str(error)) from None

    def late(self) -> Deferred[None]:
        """Fires when a failure may be answered."""
        return deferLater(self._clock, self._failure_delay)

    @abc.abstractmethod
    async def check(self, credentials: ICredentials) -> str:
        """The account's name as it is kept.

        :raises UnauthorizedLogin: the reason is for the log.  What was given as a name is not
            in it: it may be a password in the wrong field.
        """


async def wait_as(checker: object) -> None:
    """Wait as long as ``checker`` does: a client must not be able to tell which part refused it."""
    if isinstance(checker, LateChecker):
        await checker.late()
