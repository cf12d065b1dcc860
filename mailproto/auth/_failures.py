"""Failed logins of one connection: how many there were, and when they are answered."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import cast

from twisted.cred.credentials import IUsernameHashedPassword, IUsernamePassword
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from mailproto.typing import ReactorTime

__all__ = ["FAILURE_DELAY", "FailedLogins", "answer_time"]

FAILURE_DELAY = 1.5
"""A failed login is answered a whole number of these seconds after its check began, to slow down password
guessing."""


def answer_time(clock: ReactorTime, began: float, delay: float) -> Deferred[None]:
    """Fires when a failure may be answered: a whole number of delays after the check began.

    The client then cannot tell how long the check took, and so not which of its parts failed: many checkers
    fail at once for a name that does not exist, but hash the password for one that does.

    :param began: when the check began, by ``clock``.
    :param delay: in seconds; 0 to answer at once.
    """
    if delay <= 0:
        return succeed(None)
    return deferLater(cast(IReactorTime, clock), delay - (clock.seconds() - began) % delay)


class FailedLogins:
    """Counts the failed logins of one connection.

    A client may try one wrong password in several ways: Python's smtplib and Thunderbird use CRAM-MD5, then
    PLAIN, then LOGIN.  That counts once.  The same password in the same way counts again, and a SCRAM proof
    or a token always counts, because it cannot be compared.

    Only the latest failure is remembered: a password as a digest, with a key that is made for this
    connection; the digest of CRAM-MD5 as the client sent it.

    :ivar number: the failures so far.
    """

    __slots__ = ("_latest", "number")

    def __init__(self) -> None:
        self.number = 0
        self._latest: _Failure | None = None

    def add(self, credentials: object, way: str) -> None:
        """Count a failure.

        :param credentials: those that were refused; None if the client gave none.
        :param way: the mechanism or the command.
        """
        if self._latest is None or not self._latest.is_same(credentials, way):
            self.number += 1
            self._latest = _Failure(credentials, way)


class _Failure:
    """A password that was refused, and the ways in which it was tried."""

    __slots__ = ("_digest", "_hashed", "_key", "_ways")

    def __init__(self, credentials: object, way: str) -> None:
        self._ways = {way}
        self._key = os.urandom(32)
        self._hashed = credentials if IUsernameHashedPassword.providedBy(credentials) else None
        self._digest = self._digest_of(credentials)

    def is_same(self, credentials: object, way: str) -> bool:
        """Whether these have the same name and password, and come in a way that was not used yet."""
        if way in self._ways or not IUsernamePassword.providedBy(credentials):
            return False
        digest = self._digest_of(credentials)
        if self._digest:
            same = hmac.compare_digest(self._digest, digest)
        else:
            same = (
                self._hashed is not None
                and self._hashed.username == credentials.username
                and self._hashed.checkPassword(credentials.password)
            )
        if same:
            self._digest = digest
            self._ways.add(way)
        return bool(same)

    def _digest_of(self, credentials: object) -> bytes:
        if not IUsernamePassword.providedBy(credentials):
            return b""
        given = repr((credentials.username, credentials.password)).encode()
        return hashlib.blake2b(given, key=self._key).digest()
