"""What the tests of SASL stand on: channels, a portal that takes everything, exchanges."""

from __future__ import annotations

import base64
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernameHashedPassword, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailproto.auth._scram import proof_matches, scram_keys
from mailproto.auth.credentials import IBearerToken, IClientCertificate, IScramChecker, IScramProof, ScramKeys
from mailproto.auth.sasl import DEFAULT_MECHANISMS, Challenge, SASLServer, ServerMechanism, server_mechanisms
from mailproto.auth.signing_in import Login
from mailproto.errors import AuthenticationCancelled
from mailproto.interfaces import IAccount
from mailproto.tls import Channel
from tests.auth.fakes import Account

T = TypeVar("T")

WITH_CRAM: Sequence[str | type[ServerMechanism]] = (*DEFAULT_MECHANISMS, "CRAM-MD5")
"""The default, and CRAM-MD5, which is also offered in plaintext if it is asked for."""

CLEAR = Channel()
LOCAL = Channel(is_secure=True)
GOOD = b"\0alice\0secret"
TLS = Channel(is_secure=True, is_encrypted=True, bindings={"tls-exporter": b"bound"})


EXAMPLE_NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
"""The server's in the exchange of RFC 7677 3."""

EXAMPLE = tuple(
    base64.b64encode(message).decode()
    for message in (
        b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    )
)
"""Its messages in base64: the client's, the server's, the client's, the server's."""


def b64(message: str) -> str:
    """A message as it crosses the line; ``^A`` is that character."""
    return base64.b64encode(message.replace("^A", "\1").encode()).decode()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of one that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("it waits")


@implementer(IScramChecker)
class Checker:
    """Knows alice, by her password or by the name alone.

    :ivar failure: raised instead of an answer.
    """

    credentialInterfaces = (
        IUsernamePassword,
        IUsernameHashedPassword,
        IScramProof,
        IBearerToken,
        IClientCertificate,
    )

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.asked: list[Any] = []

    async def scram_keys(self, name: str, algorithm: Any) -> ScramKeys:
        if self.failure is not None:
            raise self.failure
        return scram_keys(algorithm, "secret", name.encode(), 4096)

    def requestAvatarId(self, credentials: Any) -> Any:
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: Any) -> bytes:
        self.asked.append(credentials)
        if self.failure is not None:
            raise self.failure
        if IUsernamePassword.providedBy(credentials):
            good = (credentials.username, credentials.password) == (b"alice", b"secret")
        elif IUsernameHashedPassword.providedBy(credentials):
            good = credentials.username == b"alice" and credentials.checkPassword(b"secret")
        elif IScramProof.providedBy(credentials):
            keys = await self.scram_keys(credentials.username, credentials.algorithm)
            good = proof_matches(keys, credentials.auth_message, credentials.proof)
        elif IBearerToken.providedBy(credentials):
            good = (credentials.username, credentials.token) == ("alice", "good==")
        else:
            good = credentials.authzid in ("", "alice")
        if not good:
            raise UnauthorizedLogin
        return b"alice"


class ExampleChecker(Checker):
    """The user of RFC 7677 3, whose password is "pencil"; here she is alice."""

    async def scram_keys(self, name: str, algorithm: Any) -> ScramKeys:
        await super().scram_keys(name, algorithm)
        return scram_keys(algorithm, "pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)


@implementer(IRealm)
class Realm:
    """Gives accounts, and counts who is signed in."""

    def __init__(self) -> None:
        self.signed_in = 0

    def requestAvatar(self, name: bytes, mind: object, *interfaces: Any) -> Any:
        self.signed_in += 1
        return IAccount, Account(name.decode()), self._log_out

    def _log_out(self) -> None:
        self.signed_in -= 1


class ExchangeTestCase(SynchronousTestCase):
    """A `SASLServer` over a portal with one checker.

    In an exchange, what is sent and received is shown before base64.
    """

    def setUp(self) -> None:
        self.realm = Realm()
        self.checker = Checker()
        self.sasl = self.make(self.checker)

    def make(self, *checkers: ICredentialsChecker) -> SASLServer:
        return self.sasl_server(Portal(self.realm, checkers), server_mechanisms(WITH_CRAM))

    def sasl_server(self, portal: Portal, mechanisms: Any = None, **more: Any) -> SASLServer:
        """A server that answers failures at once."""
        return SASLServer(portal, mechanisms, clock=Clock(), failure_delay=0, **more)

    def begin(self, name: str, initial: bytes | None = None, channel: Channel = LOCAL) -> bytes | None:
        """What the server says, or None for success."""
        line = None if initial is None else base64.b64encode(initial) or b"="
        return self._shown(run(self.sasl.begin(name, line, channel)))

    def respond(self, response: bytes) -> bytes | None:
        return self._shown(run(self.sasl.respond(base64.b64encode(response))))

    def assert_over(self) -> None:
        """Nobody is signed in, what comes next is no response, and another exchange may begin."""
        self.assertEqual(self.realm.signed_in, 0)
        self.assertRaises(AuthenticationCancelled, self.respond, GOOD)
        self.assertIsNone(self.begin("PLAIN", GOOD))

    def _shown(self, step: Challenge | Login) -> bytes | None:
        if isinstance(step, Login):
            self.assertEqual((step.account.name, self.realm.signed_in), ("alice", 1))
            step.logout()
            return None
        return step.data
