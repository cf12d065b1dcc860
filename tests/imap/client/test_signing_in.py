"""The beginning and the end of a session: greeting, TLS, signing in, logging out."""

from __future__ import annotations

from mailproto.auth import Password, Token
from mailproto.client.errors import (
    AuthenticationRefused,
    AuthenticationUnavailable,
    CommandRefused,
    ConnectionLost,
    GreetingRefused,
    NotOffered,
    OutOfOrder,
    ProtocolViolation,
    ServerTimeout,
    ServiceClosing,
    TLSUnavailable,
)
from mailproto.testing import ELSEWHERE
from tests.imap.client.dialogue import BOB, FEW, PLAIN_BOB, TLS, ClientTestCase


class GreetingTests(ClientTestCase):
    def test_capabilities_in_the_greeting_need_no_question(self) -> None:
        self.connect("S: * OK [CAPABILITY IMAP4rev1 idle] Ready")
        self.assertEqual(self.client.capabilities, {"IMAP4REV1", "IDLE"})
        self.assertEqual(self.client.authenticated_by, "")

    def test_capabilities_are_asked_for(self) -> None:
        self.connect("S: * OK Ready")
        asked = self.client.capability()
        self.converse(
            """
            C: A1 CAPABILITY
            S: * CAPABILITY IMAP4rev1 SASL-IR
            S: A1 OK Done
            """
        )
        self.assertEqual(self.result(asked), {"IMAP4REV1", "SASL-IR"})

    def test_bye_refuses_the_client(self) -> None:
        self.connect()
        greeted = self.client.greeted()
        self.transport.send(b"* BYE Too many connections\r\n")
        self.assertEqual(str(self.error(greeted, GreetingRefused)), "BYE Too many connections")
        self.assertFalse(self.client.is_usable)

    def test_what_is_no_greeting_ends_the_connection(self) -> None:
        for words in (
            b"220 mx.example ESMTP\r\n",
            b"+OK POP3\r\n",
            b"* 5 EXISTS\r\n",
            b"A1 OK\r\n",
            b"\x16\x03\r\n",
            b"* 1 FETCH (UID 5 FLAGS ())\r\n",
            b"* 1 FETCH (UID 5 BODY[] {100000}\r\n",
        ):
            with self.subTest(words=words):
                self.connect()
                greeted = self.client.greeted()
                self.transport.send(words)
                text = str(self.error(greeted, ProtocolViolation))
                self.assertIn("The server's greeting was '", text)
                self.assertNotIn("=", text)
                self.assertFalse(self.transport.is_open)

    def test_a_long_line_before_login_ends_the_connection(self) -> None:
        self.connect("S: * OK Ready")
        asked = self.client.capability()
        self.converse("C: A1 CAPABILITY")
        self.transport.send(b"* CAPABILITY " + b"X" * (1 << 16))
        self.error(asked, ProtocolViolation)

    def test_garbage_before_login_ends_the_connection(self) -> None:
        self.connect("S: * OK Ready")
        self.transport.send(b"what?\r\n")
        self.assertFalse(self.transport.is_open)


class AuthenticateTests(ClientTestCase):
    def test_with_an_initial_response(self) -> None:
        self.connect("S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] Ready")
        done = self.client.authenticate(BOB)
        self.converse(
            f"""
            C: A1 AUTHENTICATE PLAIN {PLAIN_BOB}
            S: A1 OK [CAPABILITY IMAP4rev1 IDLE] Welcome
            """
        )
        self.assertEqual(self.result(done), "PLAIN")
        self.assertEqual(self.client.capabilities, {"IMAP4REV1", "IDLE"})
        self.assertEqual(self.client.authenticated_by, "PLAIN")

    def test_without_one(self) -> None:
        """And the capabilities are asked for anew."""
        self.connect("S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] Ready")
        done = self.client.authenticate(BOB)
        self.converse(
            f"""
            C: A1 AUTHENTICATE PLAIN
            S: +
            C: {PLAIN_BOB}
            S: A1 OK
            C: A2 CAPABILITY
            S: * CAPABILITY IMAP4rev1 IDLE
            S: A2 OK
            """
        )
        self.assertEqual(self.result(done), "PLAIN")
        self.assertEqual(self.client.capabilities, {"IMAP4REV1", "IDLE"})

    def test_wrong_password(self) -> None:
        self.connect("S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] Ready")
        done = self.client.authenticate(BOB)
        self.converse(
            f"""
            C: A1 AUTHENTICATE PLAIN {PLAIN_BOB}
            S: A1 NO [AUTHENTICATIONFAILED] Wrong
            """
        )
        error = self.error(done, AuthenticationRefused)
        self.assertTrue(error.is_permanent)
        self.assertEqual(error.reply.code, "AUTHENTICATIONFAILED")
        self.assertTrue(self.client.is_usable)

    def test_a_server_that_cannot_check_now(self) -> None:
        self.connect("S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] Ready")
        done = self.client.authenticate(BOB)
        self.converse(
            f"""
            C: A1 AUTHENTICATE PLAIN {PLAIN_BOB}
            S: A1 NO [UNAVAILABLE] Later
            """
        )
        self.assertFalse(self.error(done, AuthenticationRefused).is_permanent)

    def test_oauth_error_is_answered_with_an_empty_line(self) -> None:
        self.connect("S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] Ready")
        done = self.client.authenticate(Token("bob", "t"))
        self.converse(
            """
            C: A1 AUTHENTICATE XOAUTH2 dXNlcj1ib2IBYXV0aD1CZWFyZXIgdAEB
            S: + eyJzdGF0dXMiOiI0MDAifQ==
            C:
            S: A1 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
            """
        )
        self.error(done, AuthenticationRefused)

    def test_login_where_there_is_no_mechanism(self) -> None:
        self.connect("S: * OK [CAPABILITY IMAP4rev1] Ready")
        done = self.client.authenticate(Password("bob", 'se"c\\ret'))
        self.converse(
            r"""
            C: A1 LOGIN "bob" "se\"c\\ret"
            S: A1 OK [CAPABILITY IMAP4rev1] Welcome
            """
        )
        self.assertEqual(self.result(done), "LOGIN")

    def test_login_in_utf_8_is_sent_as_a_literal(self) -> None:
        self.connect("S: * OK [CAPABILITY IMAP4rev1] Ready")
        done = self.client.login("bob", "pässword")
        self.converse(
            """
            C: A1 LOGIN "bob" {9}
            S: + go on
            C: pässword
            S: A1 OK [CAPABILITY IMAP4rev1] Welcome
            """
        )
        self.assertEqual(self.result(done), "LOGIN")

    def test_login_is_not_tried_where_it_is_disabled(self) -> None:
        self.connect("S: * OK [CAPABILITY IMAP4rev1 LOGINDISABLED] Ready")
        self.error(self.client.authenticate(BOB), AuthenticationUnavailable)
        self.error(self.client.login("bob", "secret", allow_clear=True), AuthenticationUnavailable)

    def test_no_password_goes_over_the_network_in_clear(self) -> None:
        self.peer = ELSEWHERE
        self.connect("S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] Ready")
        self.error(self.client.authenticate(BOB), AuthenticationUnavailable)
        self.error(self.client.login("bob", "secret"), AuthenticationUnavailable)
        self.assertEqual(self.transport.read(), b"")

    def test_preauth_needs_no_credentials(self) -> None:
        self.connect("S: * PREAUTH [CAPABILITY IMAP4rev1 AUTH=PLAIN] Hello")
        self.assertEqual(self.result(self.client.authenticate(BOB)), "PREAUTH")


class StartTLSTests(ClientTestCase):
    def test_what_was_learnt_in_plaintext_is_forgotten(self) -> None:
        self.connect("S: * OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=EVIL] Ready")
        done = self.client.starttls(TLS)
        self.converse(
            """
            C: A1 STARTTLS
            S: A1 OK Begin
            C starts TLS
            """
        )
        self.client.protocol.handshakeCompleted()
        self.converse(
            """
            C: A2 CAPABILITY
            S: * CAPABILITY IMAP4rev1 AUTH=PLAIN
            S: A2 OK
            """
        )
        self.assertEqual(self.result(done), {"IMAP4REV1", "AUTH=PLAIN"})

    def test_octets_after_the_go_ahead_are_an_attack(self) -> None:
        self.connect("S: * OK [CAPABILITY IMAP4rev1 STARTTLS] Ready")
        done = self.client.starttls(TLS)
        self.converse("C: A1 STARTTLS")
        self.transport.send(b"A1 OK Begin\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n")
        self.error(done, ProtocolViolation)
        self.assertIsNone(self.transport.tls)

    def test_preauth_before_tls_is_refused(self) -> None:
        """An attacker can say it, so that no TLS is started (NO STARTTLS, 2021)."""
        self.connect("S: * PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] Hello")
        self.error(self.client.starttls(TLS), TLSUnavailable)

    def test_not_offered(self) -> None:
        self.connect("S: * OK [CAPABILITY IMAP4rev1] Ready")
        self.error(self.client.starttls(TLS), TLSUnavailable)

    def test_refused(self) -> None:
        self.connect("S: * OK [CAPABILITY IMAP4rev1 STARTTLS] Ready")
        done = self.client.starttls(TLS)
        self.converse(
            """
            C: A1 STARTTLS
            S: A1 NO Not today
            """
        )
        self.assertEqual(str(self.error(done, TLSUnavailable)), "NO Not today")

    def test_what_is_said_before_login_reaches_no_listener(self) -> None:
        self.connect(
            """
            S: * OK [CAPABILITY IMAP4rev1 STARTTLS] Ready
            S: * OK [ALERT] Call this number
            S: * LIST () "/" evil
            S: * 7 EXISTS
            """
        )
        self.assertEqual(self.events, [])


class UnauthenticateTests(ClientTestCase):
    """RFC 8437."""

    def test_another_account_signs_in(self) -> None:
        self.selected("IMAP4rev1 ENABLE CONDSTORE SASL-IR AUTH=PLAIN UNAUTHENTICATE")
        self.client.enable("CONDSTORE")
        self.transport.send(b"* ENABLED CONDSTORE\r\nA2 OK\r\n")
        self.transport.read()
        done = [self.client.unauthenticate(), self.client.authenticate(BOB), self.client.noop()]
        self.converse(
            f"""
            C: A3 UNAUTHENTICATE
            S: A3 OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] Who are you?
            C: A4 AUTHENTICATE PLAIN {PLAIN_BOB}
            S: * 5 EXISTS
            S: A4 OK [CAPABILITY IMAP4rev1 IDLE] Welcome
            C: A5 NOOP
            S: A5 OK
            """
        )
        for each in done:
            self.result(each)
        self.assertEqual((self.client.authenticated_by, self.client.enabled), ("PLAIN", frozenset()))
        self.assertIsNone(self.client.selected)
        self.assertEqual(self.events, [])

    def test_signed_out(self) -> None:
        self.signed_in("IMAP4rev1 UNAUTHENTICATE")
        done = self.client.unauthenticate()
        self.converse(
            """
            C: A1 UNAUTHENTICATE
            S: A1 OK Bye
            C: A2 CAPABILITY
            S: * CAPABILITY IMAP4rev1 AUTH=PLAIN
            S: A2 OK
            """
        )
        self.result(done)
        self.assertEqual(self.client.authenticated_by, "")
        self.assertEqual(self.client.capabilities, {"IMAP4REV1", "AUTH=PLAIN"})
        self.error(self.client.unauthenticate(), OutOfOrder)
        self.transport.send(b'* OK [ALERT] x\r\n* LIST () "/" y\r\n')
        self.assertEqual(self.events, [])
        self.transport.send(b"* " + b"x" * (1 << 16))  # strangers' lines are short again
        self.assertFalse(self.client.is_usable)

    def test_not_offered(self) -> None:
        self.signed_in(FEW)
        self.error(self.client.unauthenticate(), NotOffered)
        self.assertTrue(self.client.is_usable)

    def test_a_refusal_ends_the_connection(self) -> None:
        self.signed_in("IMAP4rev1 UNAUTHENTICATE")
        done = self.client.unauthenticate()
        self.transport.send(b"A1 BAD No\r\n")
        self.error(done, ProtocolViolation)
        self.assertFalse(self.client.is_usable)


class LanguageTests(ClientTestCase):
    """RFC 5255 3."""

    def test_languages(self) -> None:
        self.signed_in("IMAP4rev1 LANGUAGE")
        there, chosen, refused = (
            self.client.language(),
            self.client.language("fr-CA", "de"),
            self.client.language("*-x"),
        )
        self.converse(
            """
            C: A1 LANGUAGE
            S: * LANGUAGE (EN DE i-default)
            S: A1 OK
            C: A2 LANGUAGE fr-CA de
            S: * LANGUAGE ("DE")
            S: * NAMESPACE (("" "/")) (("Andere Ben\xc3\xbctzer/" "/")) NIL
            S: A2 OK Sprachwechsel durch LANGUAGE-Befehl ausgeführt
            C: A3 LANGUAGE *-x
            S: A3 NO Diese Sprache ist nicht unterstützt
            """
        )
        self.assertEqual(self.result(there), ("EN", "DE", "i-default"))
        self.assertEqual(self.result(chosen), ("DE",))
        error = self.error(refused, CommandRefused)
        self.assertEqual(str(error), "NO Diese Sprache ist nicht unterstützt")

    def test_where_there_is_one(self) -> None:
        self.signed_in(FEW)
        self.error(self.client.language("de"), NotOffered)

    def test_arguments(self) -> None:
        self.signed_in("IMAP4rev1 LANGUAGE")
        for word in ("", "de fr", "de\r\nA2 X", "Deutschland", "ü", 5):
            self.error(self.client.language(word), TypeError, ValueError)  # type: ignore[arg-type]
        self.assertEqual(self.transport.read(), b"")


class EndTests(ClientTestCase):
    def test_logout(self) -> None:
        self.signed_in()
        gone = self.client.logout()
        self.converse(
            """
            C: A1 LOGOUT
            S: * BYE Bye
            S: A1 OK Done
            C closes
            """
        )
        self.result(gone)

    def test_a_server_that_closes_says_why(self) -> None:
        self.signed_in()
        waiting = self.client.noop()
        self.converse(
            """
            C: A1 NOOP
            S: * BYE [UNAVAILABLE] Shutting down
            C closes
            """
        )
        self.assertEqual(str(self.error(waiting, ServiceClosing)), "BYE [UNAVAILABLE] Shutting down")
        self.error(self.client.noop(), ServiceClosing)

    def test_a_lost_connection_fails_everything(self) -> None:
        self.selected()
        fetched = self.client.fetch("1:*")
        first, searching = self.begin(fetched.__anext__()), self.client.search()
        selecting = self.client.select("Sent")
        self.transport.drop()
        for waiting in (first, searching, selecting):
            self.error(waiting, ConnectionLost)

    def test_silence_ends_the_connection(self) -> None:
        self.signed_in()
        waiting = self.client.noop()
        self.clock.advance(299)
        self.assertNoResult(waiting)
        self.clock.advance(2)
        self.assertIn("no answer to NOOP", str(self.error(waiting, ServerTimeout)))

    def test_a_bad_that_may_be_the_only_answer(self) -> None:
        """The server has read no tag, and so it gives none."""
        self.signed_in()
        waiting, other = self.client.noop(), self.client.status("x", "MESSAGES")
        self.transport.send(b"* BAD [CLIENTBUG] No tag\r\n")
        self.clock.advance(29)
        self.assertNoResult(waiting)
        self.clock.advance(2)
        for each in (waiting, other):
            error = self.error(each, ServerTimeout)
            self.assertIn("no answer to NOOP, but 'BAD [CLIENTBUG] No tag'", str(error))
            self.assertEqual(error.reply.code, "CLIENTBUG")

    def test_a_bad_before_the_answer(self) -> None:
        self.signed_in()
        waiting = self.client.noop()
        self.transport.send(b"* BAD Empty line\r\n")
        self.clock.advance(20)
        self.transport.send(b"A1 OK\r\n")
        self.result(waiting)
        waiting = self.client.noop()
        self.clock.advance(299)
        self.assertNoResult(waiting)
        self.clock.advance(2)
        self.assertNotIn("Empty", str(self.error(waiting, ServerTimeout)))

    def test_an_answer_to_no_command_ends_the_connection(self) -> None:
        self.signed_in()
        waiting = self.client.noop()
        self.transport.send(b"A9 OK Done\r\n")
        self.error(waiting, ProtocolViolation)

    def test_some_garbage_is_left_out(self) -> None:
        self.signed_in()
        waiting = self.client.noop()
        self.transport.send(b"\r\n--garbage\r\n* \r\n*\r\nA1 OK\r\n")
        self.result(waiting)
        self.transport.send(b"--garbage\r\n" * 100)
        self.assertFalse(self.client.is_usable)
