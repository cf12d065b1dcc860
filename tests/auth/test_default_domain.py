"""A name without a domain has the first one of the server, whatever it signs in with."""

from __future__ import annotations

import base64
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID
from twisted.cred.credentials import UsernamePassword
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto.accounts import full_name
from mailproto.auth import CertificateChecker, DirectoryChecker, StoreRealm, hash_password
from mailproto.auth._scram import ScramClientExchange
from mailproto.auth.passwords import PasswordVerifier
from mailproto.auth.sasl import Challenge, SASLServer
from mailproto.auth.signing_in import Login
from mailproto.errors import AuthenticationFailed
from mailproto.tls import Channel
from tests.auth.fakes import Directory, InstantPool, Reactor, Store
from tests.tls.certificates import make_certificate

RECORD = hash_password("secret")
PLAIN_RECORD = hash_password("plain secret")


class NameTests(SynchronousTestCase):
    def test_only_where_there_is_none(self) -> None:
        for name, expected in (
            ("alice", "alice@example.org"),
            ("alice+x", "alice+x@example.org"),
            ("alice@other.example", "alice@other.example"),
            ("alice@", "alice@"),
            ("alice\uff20other.example", "alice\uff20other.example"),  # NFKC has @ for it
            ("", ""),
        ):
            self.assertEqual(full_name(name, "example.org"), expected)
            self.assertEqual(full_name(name, ""), name)


class DefaultDomainTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.directory = Directory()
        self.directory.hashes["Alice@Example.org"] = RECORD
        self.checker = DirectoryChecker(
            self.directory,
            PasswordVerifier(self.reactor, pool=InstantPool()),
            default_domain="example.org",
        )
        certificates = CertificateChecker(self.directory, default_domain="example.org")
        self.portal = Portal(StoreRealm(Store(self.directory)), [self.checker, certificates])

    def outcome(self, asked: Any) -> str:
        """The name of the account, or "" for a refusal."""
        asked = Deferred.fromCoroutine(asked)
        self.reactor.pump([0, 0, 0])
        if isinstance(getattr(asked, "result", None), Login):
            return str(self.successResultOf(asked).account.name)
        self.failureResultOf(asked, AuthenticationFailed)
        return ""

    def server(self) -> SASLServer:
        return SASLServer(self.portal, clock=self.reactor, failure_delay=0)

    def password(self, name: str, password: str = "secret") -> str:
        return self.outcome(self.server().login(UsernamePassword(name.encode(), password.encode()), "LOGIN"))

    def sasl(self, mechanism: str, message: bytes, channel: Channel) -> str:
        server = self.server()
        return self.outcome(server.begin(mechanism, base64.b64encode(message) or b"=", channel))

    def plain(self, name: str, *, authzid: str = "", password: str = "secret") -> str:
        message = f"{authzid}\0{name}\0{password}".encode()
        return self.sasl("PLAIN", message, Channel(is_secure=True))

    def scram(
        self, name: str, *, authzid: str = "", password: str = "secret", algorithm: Any = "SHA-256"
    ) -> str:
        client = ScramClientExchange(algorithm, name, password, authzid=authzid)
        server = self.server()
        channel = Channel()

        def step(asked: Any) -> Any:
            asked = Deferred.fromCoroutine(asked)
            self.reactor.pump([0, 0, 0])
            if isinstance(getattr(asked, "result", None), Challenge | Login):
                return self.successResultOf(asked)
            self.failureResultOf(asked, AuthenticationFailed)
            return None

        first = base64.b64encode(client.client_first())
        challenge = step(server.begin(f"SCRAM-{algorithm}", first, channel))
        if challenge is None:
            return ""
        # What the client signs has the name as it was sent.
        final = step(server.respond(base64.b64encode(client.client_final(challenge.data))))
        if final is None:
            return ""
        client.server_final(final.data)
        self.assertTrue(client.is_proven)
        return str(step(server.respond(b"")).account.name)

    def external(self, *addresses: str, authzid: str = "", subject: str = "") -> str:
        more = [x509.NameAttribute(NameOID.EMAIL_ADDRESS, subject)] if subject else []
        certificate = make_certificate(*addresses, subject=more)[1]
        channel = Channel(is_secure=True, is_encrypted=True, certificate=certificate)
        return self.sasl("EXTERNAL", authzid.encode(), channel)

    def test_every_way_in(self) -> None:
        for name in ("alice", "ALICE", "Alice@example.org"):
            with self.subTest(name=name):
                self.assertEqual(self.password(name), "Alice@Example.org")
                self.assertEqual(self.plain(name), "Alice@Example.org")
                self.assertEqual(self.scram(name), "Alice@Example.org")
                self.assertEqual(self.scram(name, algorithm="SHA-1"), "Alice@Example.org")
                self.assertEqual(self.outcome(self.server().proxy_login(name)), "Alice@Example.org")
                self.assertEqual(self.external("alice@example.org", authzid=name), "Alice@Example.org")
        self.assertEqual(self.external(subject="alice"), "Alice@Example.org")

    def test_no_other_domain(self) -> None:
        for name in ("alice@other.example", "alice@", "@example.org", "bob"):
            with self.subTest(name=name):
                self.assertEqual(self.password(name), "")
                self.assertEqual(self.plain(name), "")
                self.assertEqual(self.scram(name), "")
                self.assertEqual(self.outcome(self.server().proxy_login(name)), "")
                self.assertEqual(self.external("alice@example.org", authzid=name), "")

    def test_a_wrong_password(self) -> None:
        self.assertEqual(self.password("alice", "wrong"), "")
        self.assertEqual(self.scram("alice", password="wrong"), "")

    def test_an_account_of_just_that_name_wins(self) -> None:
        self.directory.hashes["alice"] = PLAIN_RECORD
        self.assertEqual(self.password("alice"), "")
        self.assertEqual(self.scram("alice"), "")
        for name, password in (("alice", "plain secret"), ("alice@example.org", "secret")):
            kept = "Alice@Example.org" if "@" in name else name
            self.assertEqual(self.password(name, password), kept)
            self.assertEqual(self.scram(name, password=password), kept)
        self.assertEqual(self.external("alice@example.org", authzid="alice"), "")
        self.assertEqual(self.external("alice@example.org"), "Alice@Example.org")

    def test_one_account_under_both_of_its_names(self) -> None:
        for name, authzid in (
            ("alice", "alice@example.org"),
            ("alice@example.org", "alice"),
            ("alice", "ALICE"),
        ):
            self.assertEqual(self.plain(name, authzid=authzid), "Alice@Example.org")
            self.assertEqual(self.scram(name, authzid=authzid), "Alice@Example.org")
        for authzid in ("bob", "alice@other.example"):
            self.assertEqual(self.plain("alice", authzid=authzid), "")
            self.assertEqual(self.scram("alice", authzid=authzid), "")

    def test_nobody_can_tell_which_accounts_there_are(self) -> None:
        """The same salt under both names, whether or not there is an account."""
        for name in ("alice", "bob"):
            salts = {
                self.successResultOf(
                    Deferred.fromCoroutine(self.checker.scram_keys(spelling, "SHA-256"))
                ).salt
                for spelling in (name, f"{name}@example.org", name.upper())
            }
            self.assertEqual(len(salts), 1, name)
