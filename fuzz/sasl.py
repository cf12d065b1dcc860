"""Fuzz `mailproto.auth.SASLServer`: ``pip install atheris``, then ``python fuzz/sasl.py [corpus folder]``.

For any lines, in any mechanism: a challenge, a login or a `MailError` with a text in ASCII, and
no failure in the log; nobody stays signed in of whom the protocol was not told.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Coroutine
from typing import Any

import atheris

with atheris.instrument_imports():
    from twisted.cred.credentials import IUsernameHashedPassword, IUsernamePassword
    from twisted.cred.error import UnauthorizedLogin
    from twisted.cred.portal import Portal
    from twisted.internet.defer import Deferred
    from twisted.logger import LogLevel, globalLogPublisher
    from zope.interface import implementer

    from mailproto.auth import (
        SERVER_MECHANISMS,
        Challenge,
        IBearerToken,
        IScramChecker,
        IScramProof,
        Login,
        SASLServer,
        ScramKeys,
    )
    from mailproto.errors import MailError
    from mailproto.interfaces import IAccount
    from mailproto.tls import Channel

CHANNEL = Channel(is_secure=True, is_encrypted=True, bindings={"tls-exporter": b"x"})
NAMES = [mechanism.name for mechanism in SERVER_MECHANISMS]


@implementer(IScramChecker)
class Checker:
    """Lets in whose secret begins with an even octet."""

    credentialInterfaces = (IUsernamePassword, IUsernameHashedPassword, IScramProof, IBearerToken)

    async def scram_keys(self, name: str, algorithm: Any) -> ScramKeys:
        """Anybody's."""
        return ScramKeys(algorithm, b"salt", 4096, b"stored", b"server")

    def requestAvatarId(self, credentials: Any) -> Any:
        """By what there is."""
        secret: Any = b"x"
        for attribute in ("password", "response", "proof", "token"):
            secret = getattr(credentials, attribute, secret)
        first = secret[0] if isinstance(secret, bytes) else ord(secret[0])
        if first % 2:
            raise UnauthorizedLogin
        return b"somebody"


class Realm:
    """Counts who is signed in."""

    def __init__(self) -> None:
        self.signed_in = 0

    def requestAvatar(self, name: bytes, mind: object, *interfaces: Any) -> Any:
        """(IAccount, an account, what signs it out)."""
        self.signed_in += 1
        return IAccount, object(), self._log_out

    def _log_out(self) -> None:
        self.signed_in -= 1


def result(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Of one that waits for nothing."""
    results: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    [result] = results
    return result


def one_input(data: bytes) -> None:
    """What the fuzzer calls: a mechanism, which lines are to be encoded, and the lines."""
    if len(data) < 2:
        return
    lines = [
        base64.b64encode(line) if data[1] >> number % 8 & 1 else line
        for number, line in enumerate(data[2:].split(b"\n"))
    ]
    realm = Realm()
    sasl = SASLServer(Portal(realm, [Checker()]), SERVER_MECHANISMS)
    step = result(sasl.begin(NAMES[data[0] % len(NAMES)], lines[0] or None, CHANNEL))
    for line in lines[1:]:
        if not isinstance(step, Challenge):
            break
        step = result(sasl.respond(line))
    if not isinstance(step, Challenge | Login):
        assert isinstance(step.value, MailError), step
        assert step.value.text.isascii(), step.value.text
    sasl.abandon()
    assert realm.signed_in == isinstance(step, Login)


def failed(event: dict[str, object]) -> None:
    """A log observer: failures are what is looked for."""
    if event["log_level"] in (LogLevel.critical, LogLevel.error):
        raise AssertionError(event)


if __name__ == "__main__":
    globalLogPublisher.addObserver(failed)
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
