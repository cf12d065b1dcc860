"""Who signed in, and who failed to, is logged at once, whatever the client says next."""

from __future__ import annotations

import base64
import contextlib
from typing import Any

from twisted.cred.portal import Portal
from twisted.logger import LogLevel

from mailproto.auth._scram import ScramClientExchange
from mailproto.auth.sasl import SERVER_MECHANISMS, SASLServer
from mailproto.errors import AuthenticationFailed, AuthorizationFailed, MailError, Unavailable
from mailproto.observing import Client
from tests.auth.exchanges import ExchangeTestCase, run
from tests.mail_log import captured, kinds, only

CLIENT = Client(peer="192.0.2.1", protocol="imap", tls="TLSv1.3")


class Session:
    """A session that has a name for the log."""

    client = CLIENT

    def revoke(self) -> None:
        """It goes on."""


class SignInTests(ExchangeTestCase):
    def make(self, *checkers: Any) -> SASLServer:
        return self.sasl_server(Portal(self.realm, checkers), SERVER_MECHANISMS, session=Session())

    def check(self, kind: str, mechanism: str, *responses: bytes, **fields: str) -> None:
        with captured() as events, contextlib.suppress(MailError):
            self.begin(mechanism, responses[0] if responses else None)
            for response in responses[1:]:
                self.respond(response)
        event = only(events, kind)
        self.assertEqual((event["peer"], event["mechanism"]), ("192.0.2.1", mechanism))
        self.assertEqual({name: event.get(name) for name in fields}, fields)
        for secret in ("secret", "wrong", "bad=="):
            self.assertNotIn(secret, repr(event))

    def test_each(self) -> None:
        token = "n,a=alice,^Aauth=Bearer {}^A^A".replace("^A", "\1")
        self.check("signed-in", "PLAIN", b"\0alice\0secret", account="alice")
        self.check("sign-in-failed", "PLAIN", b"\0alice\0wrong", name="alice")
        self.check("sign-in-failed", "PLAIN", b"bob\0alice\0secret", name="alice")
        self.check("sign-in-failed", "LOGIN", b"alice", b"wrong", name="alice")
        self.check("signed-in", "OAUTHBEARER", token.format("good==").encode(), account="alice")
        # The client that is told so may never answer.
        self.check("sign-in-failed", "OAUTHBEARER", token.format("bad==").encode(), name="alice")
        self.check("sign-in-failed", "OAUTHBEARER", b"n,a=alice,\1auth=Basic x\1\1", name="alice")
        self.check("sign-in-failed", "XOAUTH2", b"user=alice\1auth=Bearer bad==\1\1", name="alice")
        self.check("sign-in-failed", "SCRAM-SHA-256", b"p=tls-unique,,n=alice,r=x")
        self.check("sign-in-failed", "NTLM", detail="Unrecognised authentication mechanism")

    def test_scram(self) -> None:
        for password, kind in (("secret", "signed-in"), ("wrong", "sign-in-failed")):
            client = ScramClientExchange("SHA-256", "alice", password)
            first = self.begin("SCRAM-SHA-256", client.client_first())
            assert first is not None
            with captured() as events, contextlib.suppress(AuthenticationFailed):
                self.respond(client.client_final(first))
            self.assertEqual(kinds(events), [kind])
            self.sasl.abandon()

    def test_acting_as_another_account(self) -> None:
        client = ScramClientExchange("SHA-256", "alice", "secret", authzid="bob")
        first = self.begin("SCRAM-SHA-256", client.client_first())
        assert first is not None
        with captured() as events, self.assertRaises(AuthorizationFailed):
            self.respond(client.client_final(first))
        self.assertEqual(only(events, "sign-in-failed")["name"], "alice")
        self.assertEqual(kinds(events), ["sign-in-failed"])

    def test_a_failure_is_logged_once(self) -> None:
        token = b"user=alice\1auth=Bearer bad==\1\1"
        with captured() as events:
            self.begin("XOAUTH2", token)
            self.assertRaises(AuthenticationFailed, self.respond, b"")
        self.assertEqual(kinds(events), ["sign-in-failed"])

    def test_a_checker_that_cannot_tell(self) -> None:
        for mechanism, response in (("PLAIN", b"\0alice\0secret"), ("SCRAM-SHA-256", b"n,,n=alice,r=x")):
            self.checker.failure = Unavailable(detail="OperationalError: disk I/O error")
            with captured() as events:
                self.assertRaises(MailError, self.begin, mechanism, response)
            event = only(events, "sign-in-failed")
            self.assertEqual(event["detail"], "OperationalError: disk I/O error")
            self.assertEqual(event["log_level"], LogLevel.error)

    def test_an_exchange_that_breaks_off(self) -> None:
        """As of clients that choose what they cannot speak, and see it only then."""
        for lines, detail in (
            ((b"*",), "Authentication cancelled"),
            ((b"no base64",), "Malformed authentication response: not base64"),
            ((base64.b64encode(b"secret"),), "Malformed authentication response: PLAIN needs three parts"),
        ):
            with self.subTest(lines=lines), captured() as events:
                self.begin("PLAIN")
                for line in lines:
                    self.assertRaises(MailError, run, self.sasl.respond(line))
            event = only(events, "sign-in-failed")
            self.assertEqual((event["mechanism"], event["detail"]), ("PLAIN", detail))
            self.assertEqual(event["log_level"], LogLevel.info)
        with captured() as events:
            self.assertRaises(MailError, run, self.sasl.respond(b"*"))
        self.assertEqual(events, [], "there was no exchange")

    def test_by_the_word_of_a_proxy(self) -> None:
        portal = Portal(self.realm, [self.checker])
        with captured() as events:
            run(self.sasl_server(portal, session=Session()).proxy_login("alice"))
        event = only(events, "signed-in")
        self.assertEqual((event["account"], event["mechanism"]), ("alice", "XCLIENT"))
