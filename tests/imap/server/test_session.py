"""States, login, refusals, timeouts, and the end."""

from __future__ import annotations

import gc
import weakref

from mailproto.auth.sasl import server_mechanisms
from mailproto.imap.limits import IMAPLimits
from mailproto.testing import ELSEWHERE, LOOPBACK, MemoryTransport
from tests.imap.server.dialogue import DialogueTestCase


class GreetingTests(DialogueTestCase):
    def test_the_greeting_has_the_capabilities(self) -> None:
        self.open()
        self.talk(
            "S: * OK [CAPABILITY IMAP4rev1 ... LITERAL+ ... AUTH=CRAM-MD5 AUTH=PLAIN AUTH=LOGIN]"
            " mail.example.org ready"
        )

    def test_capability_changes_with_login(self) -> None:
        self.connect()
        self.talk(
            """
            C: a CAPABILITY
            S: * CAPABILITY IMAP4rev1 ... SASL-IR AUTH=CRAM-MD5 AUTH=PLAIN AUTH=LOGIN
            S: a OK CAPABILITY completed
            C: b LOGIN alice secret
            S: b OK [CAPABILITY IMAP4rev1 ...] Logged in
            """
        )
        client = self.clients[""]
        client.send(b"c CAPABILITY\r\n")
        capabilities, _, _ = client.received().partition(b"\r\n")
        self.assertIn(b" UNSELECT", capabilities)
        for word in (b" AUTH=", b"SASL-IR", b"LOGINDISABLED"):
            self.assertNotIn(word, capabilities)

    def test_noop_id_enable_logout(self) -> None:
        self.sign_in()
        self.talk(
            """
            C: a NOOP
            S: a OK NOOP completed
            C: b ID ("name" "mutt")
            S: * ID ("name" "mailproto")
            S: b OK ID completed
            C: c ENABLE CONDSTORE X-UNKNOWN
            S: * ENABLED CONDSTORE
            S: c OK ENABLE completed
            C: d NAMESPACE
            S: * NAMESPACE (("" "/")) (("user/" "/")) (("shared/" "/"))
            S: d OK NAMESPACE completed
            C: e LOGOUT
            S: * BYE Logging out
            S: e OK LOGOUT completed
            S closes
            """
        )
        self.assertFalse(self.clients[""].transport.is_open)


class LoginTests(DialogueTestCase):
    def test_login_with_literals(self) -> None:
        self.connect()
        self.talk(
            """
            C: a LOGIN {5}
            S: + OK
            C: alice {6}
            S: + OK
            C: secret
            S: a OK [CAPABILITY ...] Logged in
            """
        )

    def test_login_with_the_wrong_password(self) -> None:
        self.connect()
        self.talk(
            """
            C: a LOGIN alice wrong
            S: a NO [AUTHENTICATIONFAILED] Authentication failed
            C: b SELECT INBOX
            S: b BAD [CLIENTBUG] Not valid in this state
            """
        )

    def test_failed_logins_are_counted(self) -> None:
        client = self.connect()
        for _ in range(IMAPLimits().failed_logins):
            client.send(b"a LOGIN alice wrong\r\n")
        self.assertTrue(client.received().endswith(b"* BYE Too many failed logins\r\n"))
        self.assertFalse(client.transport.is_open)

    def test_authenticate_plain(self) -> None:
        self.connect()
        self.talk(
            """
            C: a AUTHENTICATE PLAIN
            S: +␠
            C: AGFsaWNlAHNlY3JldA==
            S: a OK [CAPABILITY ...] Logged in
            """
        )

    def test_an_empty_challenge_has_its_space(self) -> None:
        client = self.connect()
        client.send(b"a AUTHENTICATE PLAIN\r\n")
        self.assertEqual(client.received(), b"+ \r\n")

    def test_authenticate_plain_with_an_initial_response(self) -> None:
        self.connect()
        self.talk(
            """
            C: a AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==
            S: a OK [CAPABILITY ...] Logged in
            """
        )

    def test_authenticate_login(self) -> None:
        self.connect()
        self.talk(
            """
            C: a AUTHENTICATE LOGIN
            S: + VXNlcm5hbWU6
            C: YWxpY2U=
            S: + UGFzc3dvcmQ6
            C: c2VjcmV0
            S: a OK [CAPABILITY ...] Logged in
            """
        )

    def test_authenticate_that_is_cancelled_or_malformed_or_unknown(self) -> None:
        self.connect()
        self.talk(
            """
            C: a AUTHENTICATE PLAIN
            S: +␠
            C: *
            S: a BAD Authentication cancelled
            C: b AUTHENTICATE PLAIN
            S: +␠
            C: not base64
            S: b BAD Malformed authentication response: not base64
            C: c AUTHENTICATE PLAIN =
            S: c BAD Malformed authentication response: PLAIN needs three parts
            C: d AUTHENTICATE GSSAPI
            S: d NO Unrecognised authentication mechanism
            C: e NOOP
            S: e OK NOOP completed
            """
        )

    def test_a_password_in_clear_is_refused_from_afar(self) -> None:
        self.open("", ELSEWHERE)
        self.talk(
            """
            S: * OK [CAPABILITY ... LOGINDISABLED] ...
            C: a LOGIN alice secret
            S: a NO [PRIVACYREQUIRED] Start TLS first
            C: b AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==
            S: b NO [PRIVACYREQUIRED] Encryption required for this authentication mechanism
            C: c STARTTLS
            S: c BAD TLS is not available now
            """
        )

    def test_a_password_in_clear_is_not_asked_for(self) -> None:
        """Its literal, and the name's, would cross the network for nothing."""
        client = self.open("", ELSEWHERE)
        self.talk(
            """
            S: * OK [CAPABILITY ... LOGINDISABLED] ...
            C: a LOGIN alice {6}
            S: a NO [PRIVACYREQUIRED] Start TLS first
            C: b LOGIN {5}
            S: b NO [PRIVACYREQUIRED] Start TLS first
            C: c LOGIN {5+}
            C: alice {6}
            S: c NO [PRIVACYREQUIRED] Start TLS first
            C: d LOGIN "alice" {0}
            S: d NO [PRIVACYREQUIRED] Start TLS first
            C: e LOGIN alice {6+}
            C: secret
            S: e NO [PRIVACYREQUIRED] Start TLS first
            C: f LOGIN {5+}
            C: alice {13+}
            C: x
            C: y NOOP {3}
            S: f NO [PRIVACYREQUIRED] Start TLS first
            C: g AUTHENTICATE PLAIN
            S: g NO [PRIVACYREQUIRED] Encryption required for this authentication mechanism
            C: h AUTHENTICATE LOGIN
            S: h NO [PRIVACYREQUIRED] Encryption required for this authentication mechanism
            C: i NOOP
            S: i OK NOOP completed
            """
        )
        self.assertEqual(client.session.sasl.failures, 0)

    def test_a_literal_of_what_is_not_to_be_done_is_not_asked_for(self) -> None:
        self.connect()
        self.talk(
            """
            C: a SELECT {5}
            S: a BAD [CLIENTBUG] Not valid in this state
            C: b STATUS {5+}
            C: INBOX (MESSAGES)
            S: b BAD [CLIENTBUG] Not valid in this state
            C: c LOGIN alice {6}
            S: + OK
            C: secret
            S: c OK ...
            C: d LOGIN alice {6}
            S: d BAD [CLIENTBUG] Not valid in this state
            C: e SEARCH SUBJECT {5}
            S: e BAD [CLIENTBUG] Not valid in this state
            C: f NOOP
            S: f OK NOOP completed
            """
        )

    def test_without_passwords(self) -> None:
        """Where no mechanism in clear is offered, LOGIN is none either."""
        self.factory.mechanisms = server_mechanisms(["SCRAM-SHA-256", "EXTERNAL"])
        client = self.open()
        self.assertFalse(client.session.sasl.takes_passwords)
        self.talk(
            """
            S: * OK [CAPABILITY ... LOGINDISABLED] ...
            C: a LOGIN alice secret
            S: a NO LOGIN is not offered here, but AUTHENTICATE
            C: b LOGIN alice {6}
            S: b NO LOGIN is not offered here, but AUTHENTICATE
            C: c AUTHENTICATE PLAIN
            S: c NO Unrecognised authentication mechanism
            """
        )

    def test_the_session_is_logged_out_when_the_connection_ends(self) -> None:
        ended = []
        client = self.sign_in()
        client.session.sign_in(self.account, lambda: ended.append(True))
        client.transport.drop()
        self.assertEqual(ended, [True])


class RefusalTests(DialogueTestCase):
    def test_commands_that_are_unknown_misplaced_or_malformed(self) -> None:
        self.sign_in()
        self.talk(
            """
            C: a FROB
            S: a BAD Unknown command
            C: b FETCH 1 FLAGS
            S: b BAD [CLIENTBUG] Not valid in this state
            C: c LOGIN alice secret
            S: c BAD [CLIENTBUG] Not valid in this state
            C: d SELECT
            S: d BAD ...
            C: ((
            S: * BAD Expected a tag
            """
        )

    def test_who_speaks_another_protocol_is_sent_away(self) -> None:
        client = self.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * IMAPLimits().bad_commands)
        self.assertTrue(client.received().endswith(b"* BYE [CLIENTBUG] Too many bad commands\r\n"))
        self.assertFalse(client.transport.is_open)

    def test_large_literals_before_login(self) -> None:
        self.connect()
        self.talk(
            """
            C: a LOGIN {33000}
            S: a BAD [TOOBIG] Literals too large
            C: b LOGIN {9223372036854775808}
            S: b BAD [TOOBIG] Literals too large
            C: c NOOP
            S: c OK NOOP completed
            """
        )

    def test_a_failure_of_ours_is_told_and_logged_and_the_session_lives(self) -> None:
        self.sign_in()

        async def fail(name: str) -> None:
            raise ZeroDivisionError

        self.account.open = fail
        self.talk(
            """
            C: a SELECT INBOX
            S: a NO [SERVERBUG] Temporary failure, try again later
            C: b NOOP
            S: b OK NOOP completed
            """
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_failure_while_signing_in_is_answered_with_the_tag(self) -> None:
        self.connect()

        def fail(*_: object) -> None:
            raise ZeroDivisionError

        self.factory.portal.login = fail
        self.talk(
            """
            C: a AUTHENTICATE PLAIN
            S: +␠
            C: AGFsaWNlAHNlY3JldA==
            S: a NO [UNAVAILABLE] Temporary authentication failure
            C: b NOOP
            S: b OK NOOP completed
            """
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_what_is_done_stays_done_when_looking_at_the_mailbox_fails(self) -> None:
        """A client that was told NO would append again."""
        self.sign_in(select="INBOX")
        original = self.inbox.changes_since

        async def fail(modseq: int) -> None:
            raise ZeroDivisionError

        self.clients[""].session.selected.mailbox.changes_since = fail
        self.talk(
            """
            C: a APPEND INBOX {4+}
            C: A: b
            S: a OK [APPENDUID ... 1] APPEND completed
            """
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.clients[""].session.selected.mailbox.changes_since = original
        self.talk(
            """
            C: b NOOP
            S: * 1 EXISTS
            S: * 1 RECENT
            S: b OK NOOP completed
            """
        )


class TimeTests(DialogueTestCase):
    def test_strangers_have_a_minute(self) -> None:
        client = self.connect()
        client.send(b"a NOOP\r\n")
        client.received()
        self.clock.advance(59)
        client.send(b"b NOOP\r\n")
        self.assertEqual(client.received(), b"b OK NOOP completed\r\n")
        self.clock.advance(1)
        self.assertEqual(client.received(), b"* BYE No login in time\r\n")
        self.assertFalse(client.transport.is_open)

    def test_who_has_signed_in_has_half_an_hour(self) -> None:
        client = self.sign_in()
        for _ in range(29):
            self.clock.advance(60)
        self.assertEqual(client.received(), b"")
        self.clock.advance(70)
        self.assertEqual(client.received(), b"* BYE Idle too long\r\n")

    def test_the_server_says_bye_when_it_stops(self) -> None:
        client = self.sign_in(select="INBOX")
        self.factory.shut_down()
        self.assertEqual(client.received(), b"* BYE [UNAVAILABLE] Server shutting down\r\n")
        self.assertFalse(client.transport.is_open)


class FreedTests(DialogueTestCase):
    def test_a_session_that_has_ended_is_freed_without_the_garbage_collector(self) -> None:
        """It would look at thousands of them at once, if as many clients leave."""
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        for commands in (b"", b"a LOGIN alice secret\r\nb SELECT INBOX\r\n", b"a LOGIN alice wrong\r\n"):
            transport = MemoryTransport(self.factory.buildProtocol(None), LOOPBACK)
            transport.send(commands)
            self.clock.advance(2)
            server = weakref.ref(transport.protocol)
            transport.drop()
            vars(transport).clear()  # Twisted's own transports let go of the protocol, too
            self.assertIsNone(server())
