"""Fuzz `mailproto.auth.sasl.SASLServer`.

For any lines, in any mechanism: a challenge, a login or a `MailError` with a text in ASCII, and
no failure in the log; no account stays signed in that the protocol was not told of.
"""

from __future__ import annotations

import base64
from collections.abc import Coroutine
from typing import Any

from _parts.fuzzing import instrumented, run

with instrumented():
    from twisted.cred.credentials import IUsernameHashedPassword, IUsernamePassword
    from twisted.cred.error import UnauthorizedLogin
    from twisted.cred.portal import IRealm, Portal
    from twisted.internet.defer import Deferred
    from twisted.internet.task import Clock
    from zope.interface import implementer

    from mailproto.auth.credentials import IBearerToken, IScramChecker, IScramProof, ScramKeys
    from mailproto.auth.sasl import SERVER_MECHANISMS, Challenge, SASLServer
    from mailproto.auth.signing_in import Login
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
        octets = secret if isinstance(secret, bytes) else secret.encode("utf-8", "surrogatepass")
        if not octets or octets[0] % 2:
            raise UnauthorizedLogin
        return b"somebody"


@implementer(IAccount)
class Account:  # type: ignore[misc]  # as far as signing in needs one
    """A name and nothing else."""

    def __init__(self, name: str) -> None:
        self.name = name


@implementer(IRealm)
class Realm:
    """Counts who is signed in."""

    def __init__(self) -> None:
        self.signed_in = 0

    def requestAvatar(self, name: Any, mind: object, *interfaces: Any) -> Any:
        """(IAccount, an account, what signs it out)."""
        self.signed_in += 1
        return IAccount, Account(name.decode()), self._log_out

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
    sasl = SASLServer(Portal(realm, [Checker()]), SERVER_MECHANISMS, clock=Clock(), failure_delay=0)
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


def seed(mechanism: str, *lines: bytes) -> bytes:
    """An input: these lines, encoded, in this mechanism."""
    return bytes((NAMES.index(mechanism), 0xFF)) + b"\n".join(lines)


PROOF = base64.b64encode(b"x" * 32)
SEEDS = (
    seed("PLAIN", b"\0alice\0bob"),
    seed("LOGIN", b"", b"alice", b"bob"),
    seed("SCRAM-SHA-256", b"n,,n=alice,r=abc", b"c=biws,r=abc" + b"d" * 24 + b",p=" + PROOF),
    seed("SCRAM-SHA-1-PLUS", b"p=tls-exporter,a=x,n=al=2Cice,r=abc", b"c=,r=abc,p=" + PROOF),
    seed("OAUTHBEARER", b"n,a=alice,\1auth=Bearer dG9rZW4=\1\1", b"\1"),
    seed("XOAUTH2", b"user=alice\1auth=Bearer dG9rZW4=\1\1", b""),
)

if __name__ == "__main__":
    run(__doc__, one_input, SEEDS)
