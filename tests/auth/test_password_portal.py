"""`password_portal`: a function or a mapping is all that signing in needs."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface

from mailproto.auth import TokenChecker, password_portal
from mailproto.auth._scram import ScramClientExchange, scram_keys
from mailproto.auth.passwords import disabled_record
from mailproto.auth.sasl import SASLServer, server_mechanisms
from mailproto.auth.signing_in import Login
from mailproto.errors import (
    AuthenticationFailed,
    EncryptionRequired,
    NoSuchAccount,
    TemporaryAuthenticationFailure,
    Unavailable,
    UnknownMechanism,
)
from mailproto.interfaces import IAccount, IIdentity
from mailproto.tls import Channel
from tests.auth.exchanges import CLEAR, LOCAL, TLS, run
from tests.auth.fakes import Account, cheap_hash
from tests.mail_log import captured, only


class PortalTestCase(SynchronousTestCase):
    def server(
        self, portal: Portal, wanted: type[Interface] = IIdentity, mechanisms: Any = None
    ) -> SASLServer:
        return SASLServer(portal, mechanisms, clock=Clock(), failure_delay=0, wanted=wanted)

    def plain(self, portal: Portal, name: str, password: str, **more: Any) -> str:
        """The account's name, or "" if it was refused."""
        line = base64.b64encode(f"\0{name}\0{password}".encode())
        try:
            signed_in = run(self.server(portal, **more).begin("PLAIN", line, LOCAL))
        except AuthenticationFailed:
            return ""
        assert isinstance(signed_in, Login)
        return signed_in.name

    def offered(self, portal: Portal, channel: Channel = LOCAL, mechanisms: Any = None) -> str:
        return " ".join(self.server(portal, mechanisms=mechanisms).mechanisms(channel))


class FunctionTests(PortalTestCase):
    def test_kinds_of_functions(self) -> None:
        def plain(username: str, password: str) -> bool:
            return (username, password) == ("zoë", "naïve")

        async def coroutine(username: str, password: str) -> bool:
            return plain(username, password)

        def deferred(username: str, password: str) -> Deferred[bool]:
            return succeed(plain(username, password))

        class Called:
            def __call__(self, username: str, password: str) -> bool:
                return plain(username, password)

            def method(self, username: str, password: str, more: str = "") -> bool:
                return plain(username, password)

        check: Any
        for check in (plain, coroutine, deferred, Called(), Called().method, lambda *given: plain(*given)):
            portal = password_portal(check)
            self.assertEqual(self.plain(portal, "zoë", "naïve"), "zoë")
            for name, password in (("zoë", "naive"), ("bob", "naïve")):
                self.assertEqual(self.plain(portal, name, password), "")

    def test_results(self) -> None:
        for result, name in (
            (True, "alice"),
            ("Alice@example.org", "Alice@example.org"),
            (False, ""),
            (None, ""),
        ):
            self.assertEqual(
                self.plain(password_portal(lambda *_, result=result: result), "alice", "x"), name
            )

    def test_results_that_mean_nothing(self) -> None:
        class Match:
            """Such as `re.match` returns."""

        def check(username: str, password: str) -> Any:
            return results[0]

        results: list[Any] = [1, 0, "", b"alice", Match()]
        for what in ("int", "int", "an empty str", "bytes", "Match"):
            with captured() as events, self.assertRaises(TemporaryAuthenticationFailure):
                self.plain(password_portal(check), "alice", "x")
            results.pop(0)
            self.assertIn("TypeError", only(events, "sign-in-failed")["detail"])
            [failure] = self.flushLoggedErrors(TypeError)
            self.assertRegex(
                str(failure.value), rf"test_password_portal\..*check returned .*{what}.*: return True"
            )

    def test_errors(self) -> None:
        for error, kind in (
            (Unavailable(detail="LDAP is down"), TemporaryAuthenticationFailure),
            (AuthenticationFailed(detail="locked"), AuthenticationFailed),
            (UnauthorizedLogin("locked"), AuthenticationFailed),
            (NoSuchAccount(), AuthenticationFailed),
        ):

            async def check(username: str, password: str, error: Exception = error) -> bool:
                raise error

            line = base64.b64encode(b"\0alice\0x")
            with self.assertRaises(kind):
                run(self.server(password_portal(check)).begin("PLAIN", line, LOCAL))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_never_asked_about_nothing(self) -> None:
        """An LDAP server accepts everybody with an empty password (RFC 4513 5.1.2)."""
        portal = password_portal(lambda username, password: True)
        for name, password in ((b"alice", b""), (b"", b"x"), (b"\xff", b"x"), (b"alice", b"\xff")):
            login = self.server(portal).login(UsernamePassword(name, password), "LOGIN")
            self.assertRaises(AuthenticationFailed, run, login)

    def test_what_is_no_function(self) -> None:
        class Authenticator:
            def __call__(self, server: Any, session: Any, *, auth_data: Any) -> Any:
                """As aiosmtpd calls it."""

        check: Any
        for check, error in (
            (
                None,
                "check must be a function or a mapping of names to passwords, not a value of"
                " the type NoneType",
            ),
            ("alice:secret", "check must be a function or a mapping .* not a value of the type str"),
            ([("alice", "secret")], "check must be .* not a value of the type list"),
            (Authenticator, r"check must be .* not the class FunctionTests\..*Authenticator"),
            (Authenticator(), r"Authenticator: it takes \(server: .*, session: "),
            (lambda username: True, r"<lambda>: it takes \(username\)"),
        ):
            with self.assertRaisesRegex(TypeError, error):
                password_portal(check)


class MappingTests(PortalTestCase):
    def setUp(self) -> None:
        self.passwords = {"Alice@Example.org": "secret", "zoë": "naïve"}

    def test_names_and_passwords_in_other_spellings(self) -> None:
        portal = password_portal(self.passwords)
        for name, password, found in (
            ("Alice@Example.org", "secret", "Alice@Example.org"),
            ("ALICE@example.ORG", "secret", "Alice@Example.org"),
            ("zoe\u0308", "nai\u0308ve", "zoë"),
            ("alice@example.org", "Secret", ""),
            ("alice@example.org", "naïve", ""),
            ("alice", "secret", ""),
            ("", "secret", ""),
            ("bob", "secret", ""),
        ):
            if name:
                self.assertEqual(self.plain(portal, name, password), found)
        for octets in (b"", b"\xff"):
            login = self.server(portal).login(UsernamePassword(b"zo\xc3\xab", octets), "LOGIN")
            self.assertRaises(AuthenticationFailed, run, login)

    def test_read_once(self) -> None:
        portal = password_portal(self.passwords)
        self.passwords["bob"] = "x"
        self.assertEqual(self.plain(portal, "bob", "x"), "")

    def test_what_cannot_be_an_entry(self) -> None:
        passwords: Any
        for passwords, kind, error in (
            (
                {b"alice": "s3cret"},
                TypeError,
                "each name of check must be a str that is not empty, not b'alice'",
            ),
            ({"": "s3cret"}, TypeError, "not ''"),
            (
                {"alice": b"s3cret"},
                TypeError,
                "the password of 'alice' in check must be a str, not a value of the type bytes",
            ),
            ({"alice": None}, TypeError, "must be a str, not a value of the type NoneType"),
            ({"alice": ""}, ValueError, "the password of 'alice' in check must be a str that is not empty"),
            (
                {"alice": "s3cret", "ALICE": "x"},
                ValueError,
                "must be different accounts, not the same as are 'alice' and 'ALICE'",
            ),
        ):
            with self.assertRaisesRegex(kind, error) as caught:
                password_portal(passwords)
            self.assertNotIn("s3cret", str(caught.exception))

    def test_records_are_no_passwords(self) -> None:
        keys = str(scram_keys("SHA-256", "secret", b"salt", 4096))
        for record in (cheap_hash("secret"), disabled_record(cheap_hash("secret")), keys):
            with self.assertRaisesRegex(
                ValueError, "'alice' in check must be the password itself, not a record of hash_password"
            ) as caught:
                password_portal({"alice": record})
            self.assertNotIn(record, str(caught.exception))
        password_portal({"alice": "$argon", "bob": "!", "carol": "SCRAM-SHA-256$x"})

    def test_by_the_word_of_a_proxy(self) -> None:
        server = self.server(password_portal(self.passwords))
        self.assertEqual(run(server.proxy_login("alice@example.org")).name, "Alice@Example.org")
        self.assertRaises(AuthenticationFailed, run, server.proxy_login("bob"))


class MechanismTests(PortalTestCase):
    passwords = {"alice": "secret"}

    def test_only_the_chosen_ones(self) -> None:
        for check in (self.passwords, lambda username, password: True):
            self.assertEqual(self.offered(password_portal(check)), "PLAIN LOGIN")
            self.assertEqual(self.offered(password_portal(check), CLEAR), "")
            portal = password_portal(check, mechanisms=["login"])
            self.assertEqual(self.offered(portal), "LOGIN")
            self.assertRaises(UnknownMechanism, run, self.server(portal).begin("PLAIN", None, LOCAL))
            self.assertRaises(EncryptionRequired, run, self.server(portal).begin("LOGIN", None, CLEAR))

    def test_the_factory_may_choose_among_them(self) -> None:
        portal = password_portal(self.passwords, mechanisms=["PLAIN", "LOGIN", "CRAM-MD5"])
        self.assertEqual(self.offered(portal), "CRAM-MD5 PLAIN LOGIN")
        self.assertEqual(
            self.offered(portal, mechanisms=server_mechanisms(["PLAIN", "SCRAM-SHA-1"])), "PLAIN"
        )

    def test_other_checkers_add_theirs(self) -> None:
        portal = password_portal(self.passwords, mechanisms=["PLAIN"])
        portal.registerChecker(TokenChecker(lambda name, token: "alice"))
        self.assertEqual(self.offered(portal), "OAUTHBEARER XOAUTH2 PLAIN")

    def test_without_passwords_in_clear(self) -> None:
        for mechanism in ("CRAM-MD5", "SCRAM-SHA-256"):
            portal = password_portal(self.passwords, mechanisms=[mechanism])
            self.assertEqual(self.offered(portal, CLEAR), mechanism)
            self.assertFalse(self.server(portal).takes_passwords)

    def test_choices_that_there_are_not(self) -> None:
        def check(username: str, password: str) -> bool:
            return True

        for given, mechanisms, error in (
            (check, ["GSSAPI"], "must be one of EXTERNAL, .*, PLAIN, LOGIN, not 'GSSAPI'"),
            (check, [], "with at least one"),
            (check, ["PLAIN", "CRAM-MD5"], "CRAM-MD5 needs the passwords themselves, .* give a mapping"),
            (check, ["SCRAM-SHA-256"], "SCRAM-SHA-256 needs the passwords themselves"),
            (check, ["XOAUTH2"], "XOAUTH2 is not about passwords: .*TokenChecker"),
            (self.passwords, ["EXTERNAL"], "EXTERNAL is not about passwords"),
        ):
            with self.assertRaisesRegex(ValueError, error):
                password_portal(given, mechanisms)  # type: ignore[arg-type]
        with self.assertRaisesRegex(TypeError, "must be a list such as"):
            password_portal(check, "PLAIN")

    def test_cram_md5(self) -> None:
        portal = password_portal({"zoë": "naïve"}, mechanisms=["CRAM-MD5"])
        for name, password, is_right in (
            ("zoë", "naïve", True),
            ("zoë", "x", False),
            ("bob", "naïve", False),
        ):
            server = self.server(portal)
            challenge: Any = run(server.begin("CRAM-MD5", None, CLEAR))
            digest = hmac.new(password.encode(), challenge.data, hashlib.md5).hexdigest()
            response = base64.b64encode(f"{name} {digest}".encode())
            if is_right:
                self.assertIsInstance(run(server.respond(response)), Login)
            else:
                self.assertRaises(AuthenticationFailed, run, server.respond(response))

    def scram(self, portal: Portal, name: str, password: str, **more: Any) -> bytes:
        """Sign in.  :returns: the server's first message without its nonce."""
        algorithm: Any = more.pop("algorithm", "SHA-256")
        client = ScramClientExchange(algorithm, name, password, **more)
        server = self.server(portal)
        mechanism = f"SCRAM-{algorithm}" + ("-PLUS" if more else "")
        first: Any = run(server.begin(mechanism, base64.b64encode(client.client_first()), TLS))
        final: Any = run(server.respond(base64.b64encode(client.client_final(first.data))))
        client.server_final(final.data)
        self.assertTrue(client.is_proven)
        self.assertEqual(run(server.respond(b"")).name, "zoë")  # type: ignore[union-attr]
        return bytes(first.data.partition(b",s=")[2])

    def test_scram(self) -> None:
        portal = password_portal(
            {"zoë": "naïve"}, mechanisms=["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1"]
        )
        for algorithm in ("SHA-256", "SHA-1"):
            self.assertEqual(
                self.scram(portal, "zoë", "nai\u0308ve", algorithm=algorithm),
                self.scram(portal, "zoë", "naïve", algorithm=algorithm),
            )
            for name, password in (("zoë", "naive"), ("bob", "naïve")):
                with self.assertRaises(AuthenticationFailed):
                    self.scram(portal, name, password, algorithm=algorithm)
        self.scram(portal, "zoë", "naïve", gs2_flag="p=tls-exporter", binding=b"bound")

    def test_scram_of_nobody_looks_like_that_of_somebody(self) -> None:
        portal = password_portal({"zoë": "naïve"}, mechanisms=["SCRAM-SHA-256"])

        def first(name: str) -> bytes:
            begun: Any = run(self.server(portal).begin("SCRAM-SHA-256", base64.b64encode(name.encode()), TLS))
            return bytes(begun.data.partition(b",s=")[2])

        somebody, nobody = first("n,,n=zoë,r=x"), first("n,,n=bob,r=x")
        self.assertNotEqual(somebody, nobody)
        self.assertEqual(len(somebody), len(nobody))
        self.assertEqual(nobody, first("n,,n=bob,r=y"))
        self.assertEqual(nobody, first("n,,n=BOB,r=x"))


class AccountTests(PortalTestCase):
    def accounts(self, account: Callable[[str], Any]) -> Portal:
        return password_portal({"alice": "secret"}, account=account)

    def test_kinds_of_functions(self) -> None:
        async def coroutine(name: str) -> Account:
            return Account(name)

        for account in (Account, coroutine, lambda name: succeed(Account(name))):
            for wanted in (IAccount, IIdentity):
                self.assertEqual(
                    self.plain(self.accounts(account), "alice", "secret", wanted=wanted), "alice"
                )

    def test_nobodys(self) -> None:
        async def nobodys(name: str) -> Account:
            raise NoSuchAccount

        for wanted in (IAccount, IIdentity):
            self.assertEqual(self.plain(self.accounts(nobodys), "alice", "secret", wanted=wanted), "")

    def test_no_account(self) -> None:
        for account in (lambda name: None, lambda name: name):
            with self.assertRaises(TemporaryAuthenticationFailure):
                self.plain(self.accounts(account), "alice", "secret", wanted=IAccount)
            [failure] = self.flushLoggedErrors(TypeError)
            self.assertIn("password_portal's function account returned a", str(failure.value))
        with self.assertRaisesRegex(TypeError, "account must be a function of a name that .*, not a dict"):
            self.accounts({})  # type: ignore[arg-type]
