"""POP3 before login: greeting, CAPA, STLS, USER and PASS, AUTH."""

from __future__ import annotations

import base64
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.ssl import CertificateOptions
from twisted.logger import capturedLogs

from mailproto.auth.sasl import server_mechanisms
from mailproto.errors import AuthenticationFailed, MailboxInUse
from mailproto.pop3.limits import POP3Limits
from mailproto.testing import ELSEWHERE
from tests.pop3.server.session import ALICE, SessionTestCase

PLAIN = base64.b64encode(b"\0alice\0secret word").decode()
IN_CLEAR = "-ERR Passwords are not taken in clear: connect with TLS"


class DialogueTests(SessionTestCase):
    def test_greeting_without_a_timestamp_for_apop(self) -> None:
        self.assertEqual(self.connect().read(), b"+OK mail.test POP3 ready\r\n")

    def test_user_and_pass(self) -> None:
        self.inbox.add(b"12345678\r\n")
        self.play(
            """
            C: USER alice
            S: +OK Password, please
            C: PASS secret word
            S: +OK 1 messages (10 octets)
            C: STAT
            S: +OK 1 10
            """
        )
        self.assertEqual(self.realm.signed_in, 1)

    def test_pass_takes_the_rest_of_the_line(self) -> None:
        self.checker.addUser(b"alice", b"  a b ")
        transport = self.connect()
        transport.read()
        self.play(
            "C: USER alice\nC: PASS  a b \nS: +OK...\nS: -ERR [AUTH] Authentication failed\n"
            "C: USER alice\nC: PASS   a b \nS: +OK...\nS: +OK...",
            transport,
        )

    def test_a_wrong_name_is_answered_as_a_wrong_password_is(self) -> None:
        self.play(
            """
            C: USER alice
            S: +OK Password, please
            C: PASS wrong
            S: -ERR [AUTH] Authentication failed
            C: USER nobody
            S: +OK Password, please
            C: PASS wrong
            S: -ERR [AUTH] Authentication failed
            C: USER alice
            S: +OK Password, please
            C: PASS secret word
            S: +OK 0 messages (0 octets)
            """
        )

    def test_pass_out_of_order(self) -> None:
        self.play(
            """
            C: PASS secret word
            S: -ERR USER comes first
            C: USER alice
            S: +OK...
            C: CAPA X
            S: -ERR CAPA takes no arguments
            C: PASS secret word
            S: -ERR USER comes first
            C: USER alice
            S: +OK...
            C: nonsense here
            S: -ERR Unknown command, or not before login
            C: PASS secret word
            S: -ERR USER comes first
            C: USER alice
            S: +OK...
            C:
            S: -ERR Malformed command
            C: PASS secret word
            S: -ERR USER comes first
            C: USER alice
            S: +OK...
            C: PASS
            S: -ERR PASS password
            """
        )

    def test_wrong_arguments(self) -> None:
        self.play(
            """
            C: USER
            S: -ERR USER name
            C: USER two names
            S: -ERR USER name
            C: AUTH PLAIN AAAA AAAA
            S: -ERR AUTH mechanism [initial-response]
            C: QUIT now
            S: -ERR QUIT takes no arguments
            C: STLS now
            S: -ERR STLS takes no arguments
            """
        )

    def test_commands_that_come_later(self) -> None:
        for command in ("STAT", "LIST", "RETR 1", "DELE 1", "NOOP", "RSET", "TOP 1 0", "UIDL"):
            self.play(f"C: {command}\nS: -ERR Unknown command, or not before login")

    def test_quit(self) -> None:
        transport = self.play("C: QUIT\nC: NOOP\nS: +OK Bye\nS closes")
        self.assertFalse(transport.is_open)

    def test_capa(self) -> None:
        self.play(
            """
            C: CAPA
            S: +OK Capabilities
            S: TOP
            S: UIDL
            S: RESP-CODES
            S: AUTH-RESP-CODE
            S: PIPELINING
            S: UTF8
            S: LANG
            S: EXPIRE NEVER
            S: USER
            S: SASL CRAM-MD5 PLAIN LOGIN
            S: IMPLEMENTATION mailproto
            S: .
            """
        )

    def test_auth_plain_with_an_initial_response(self) -> None:
        self.play(f"C: AUTH PLAIN {PLAIN}\nS: +OK 0 messages (0 octets)\nC: NOOP\nS: +OK")

    def test_auth_plain_with_a_challenge(self) -> None:
        self.play(f"C: auth plain\nS: + \nC: {PLAIN}\nS: +OK 0 messages (0 octets)".replace("+ \n", "+...\n"))

    def test_auth_login(self) -> None:
        self.play(
            """
            C: AUTH LOGIN
            S: + VXNlcm5hbWU6
            C: YWxpY2U=
            S: + UGFzc3dvcmQ6
            C: c2VjcmV0IHdvcmQ=
            S: +OK 0 messages (0 octets)
            """
        )

    def test_auth_that_fails(self) -> None:
        wrong = base64.b64encode(b"\0alice\0wrong").decode()
        self.play(
            f"""
            C: AUTH PLAIN {wrong}
            S: -ERR [AUTH] Authentication failed
            C: AUTH X-NONE
            S: -ERR Unrecognised authentication mechanism
            C: AUTH PLAIN not-base-64
            S: -ERR Malformed authentication response: not base64
            C: AUTH PLAIN AAA=
            S: -ERR Malformed authentication response: PLAIN needs a name and a password
            C: AUTH PLAIN =
            S: -ERR Malformed authentication response: PLAIN needs three parts
            C: AUTH PLAIN
            S: +...
            C: *
            S: -ERR Authentication cancelled
            C: NOOP
            S: -ERR Unknown command, or not before login
            C: AUTH LOGIN
            S: + VXNlcm5hbWU6
            C: {"A" * 12400}
            S: -ERR Line too long
            C: YWxpY2U=
            S: -ERR Unknown command, or not before login
            C: AUTH PLAIN {PLAIN}
            S: +OK...
            """
        )


class ByteByByteDialogueTests(DialogueTests):
    feed = "octets"


class SpareOctetDialogueTests(DialogueTests):
    feed = "spare"


class PipelinedDialogueTests(DialogueTests):
    feed = "together"


class PrivacyTests(SessionTestCase):
    def test_no_password_is_taken_in_clear_from_elsewhere(self) -> None:
        transport = self.connect(ELSEWHERE)
        transport.read()
        self.play(
            f"""
            C: CAPA
            S: +OK Capabilities
            S: TOP
            S: UIDL
            S: RESP-CODES
            S: AUTH-RESP-CODE
            S: PIPELINING
            S: UTF8
            S: LANG
            S: EXPIRE NEVER
            S: SASL CRAM-MD5
            S: IMPLEMENTATION mailproto
            S: .
            C: USER alice
            S: {IN_CLEAR}
            C: PASS secret word
            S: {IN_CLEAR}
            C: AUTH PLAIN {PLAIN}
            S: -ERR Encryption required for this authentication mechanism
            C: AUTH LOGIN
            S: -ERR Encryption required for this authentication mechanism
            C: STLS
            S: -ERR No TLS to begin here
            """,
            transport,
        )
        self.assertEqual(self.realm.signed_in, 0)

    def test_stls_makes_passwords_welcome(self) -> None:
        tls = CertificateOptions()
        self.factory = self.make_factory(tls=tls)
        transport = self.connect(ELSEWHERE)
        transport.read()
        self.play("C: USER alice\nS: -ERR Passwords are not taken in clear: STLS first", transport)
        transport.send(b"CAPA\r\n")
        before = transport.read().split(b"\r\n")
        self.play("C: STLS\nS: +OK Begin TLS", transport)
        self.assertIs(transport.tls, tls)
        transport.send(b"CAPA\r\n")
        after = transport.read().split(b"\r\n")
        self.assertEqual(set(before) - set(after), {b"STLS", b"SASL CRAM-MD5"})
        self.assertEqual(set(after) - set(before), {b"USER", b"SASL CRAM-MD5 PLAIN LOGIN"})
        self.play(
            f"C: STLS\nS: -ERR No TLS to begin here\n{ALICE}\nC: STLS\nS: -ERR Unknown command...", transport
        )

    def test_what_was_said_before_stls_is_forgotten(self) -> None:
        self.factory = self.make_factory(tls=CertificateOptions())
        self.play(
            """
            C: USER alice
            S: +OK...
            C: STLS
            S: +OK Begin TLS
            C: PASS secret word
            S: -ERR USER comes first
            """
        )

    def test_plaintext_behind_stls_is_an_attack(self) -> None:
        self.factory = self.make_factory(tls=CertificateOptions())
        transport = self.connect(ELSEWHERE)
        transport.read()
        transport.send(b"STLS\r\nUSER alice\r\n")
        self.assertEqual(transport.read(), b"-ERR Closing: plaintext where TLS was to begin\r\n")
        self.assertEqual((transport.is_open, transport.was_aborted), (False, False))
        self.assertIsNone(transport.tls)


class ChoiceTests(SessionTestCase):
    def test_without_passwords(self) -> None:
        """Where no mechanism in clear is offered, USER and PASS are none either."""
        self.factory.mechanisms = server_mechanisms(["SCRAM-SHA-256", "CRAM-MD5"])
        transport = self.connect()
        transport.read()
        transport.send(b"CAPA\r\n")
        lines = transport.read().split(b"\r\n")
        self.assertIn(b"SASL CRAM-MD5", lines)
        self.assertNotIn(b"USER", lines)
        self.play(
            f"""
            C: USER alice
            S: -ERR USER and PASS are not offered here, but AUTH
            C: PASS secret word
            S: -ERR USER and PASS are not offered here, but AUTH
            C: AUTH PLAIN {PLAIN}
            S: -ERR Unrecognised authentication mechanism
            """,
            transport,
        )


class LoginTests(SessionTestCase):
    def test_too_many_failed_logins_end_the_connection(self) -> None:
        transport = self.connect()
        transport.read()
        for left in reversed(range(POP3Limits().failed_logins)):
            end = "" if left else "\nS closes"
            refused = f"-ERR [AUTH] Authentication failed{end}"
            self.play(f"C: USER alice\nS: +OK...\nC: PASS wrong\nS: {refused}", transport)

    def test_a_portal_that_fails_is_a_temporary_failure(self) -> None:
        self.account.failure = RuntimeError("the disk is on fire")
        self.play(f"C: AUTH PLAIN {PLAIN}\nS: -ERR [SYS/TEMP] Temporary failure, try again later")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.realm.signed_in, 0)

    def test_a_backend_may_lock_a_second_session_out(self) -> None:
        self.account.failure = MailboxInUse()
        transport = self.play(f"C: AUTH PLAIN {PLAIN}\nS: -ERR [IN-USE] Mailbox in use")
        self.account.failure = None
        self.play(ALICE, transport)

    def test_the_next_command_waits_for_the_login(self) -> None:
        self.inbox.add(b"\r\n")
        pending = self.inbox.pending = Deferred()
        transport = self.play(f"C: AUTH PLAIN {PLAIN}\nC: STAT")
        self.inbox.pending = None
        pending.callback(None)
        self.assertEqual(transport.read(), b"+OK 1 messages (2 octets)\r\n+OK 1 2\r\n")

    def test_a_client_that_leaves_during_login_is_signed_out(self) -> None:
        self.inbox.add(b"\r\n")
        pending = self.inbox.pending = Deferred()
        transport = self.play(f"C: AUTH PLAIN {PLAIN}")
        self.assertEqual(self.realm.signed_in, 1)
        transport.drop()
        pending.callback(None)
        self.assertEqual(self.realm.signed_in, 0)

    def test_the_end_of_a_session_signs_out(self) -> None:
        for end in ("QUIT", "drop"):
            transport = self.sign_in()
            self.assertEqual(self.realm.signed_in, 1)
            if end == "drop":
                transport.drop()
            else:
                self.play("C: QUIT\nS: +OK Bye\nS closes", transport)
            self.assertEqual(self.realm.signed_in, 0)

    def test_no_password_is_in_the_log(self) -> None:
        self.checker.requestAvatarId = self._fail
        with capturedLogs() as logged:
            self.play(f"{ALICE[: ALICE.rindex('S:')]}S: -ERR [SYS/TEMP]...")
        self.assertIn("sign-in-failed", [event.get("kind") for event in logged])
        self.assertNotIn("secret", repr([failure.value for failure in self.flushLoggedErrors(RuntimeError)]))
        self.assertNotIn("secret", repr(logged))

    def _fail(self, credentials: object) -> Any:
        raise RuntimeError("no database")


class TimeTests(SessionTestCase):
    def test_no_command_in_the_first_minute(self) -> None:
        transport = self.connect()
        transport.read()
        self.clock.advance(59)
        self.assertTrue(transport.is_open)
        self.clock.advance(1)
        self.assertEqual((transport.read(), transport.is_open), (b"", False))

    def test_no_login_in_the_first_minute(self) -> None:
        """Nothing is said, as to any idle client (RFC 1939 3)."""
        transport = self.connect()
        for _ in range(7):
            transport.send(b"CAPA\r\n")
            self.clock.advance(8)
        self.assertTrue(transport.is_open)
        transport.read()
        self.clock.advance(4)
        self.assertEqual((transport.read(), transport.is_open), (b"", False))

    def test_ten_minutes_are_allowed_by_default(self) -> None:
        self.factory = self.make_factory(limits=None)
        transport = self.sign_in()
        self.clock.advance(599)
        self.assertTrue(transport.is_open)
        self.clock.advance(1)
        self.assertEqual((transport.read(), transport.is_open), (b"", False))

    def test_a_server_that_stops_says_so(self) -> None:
        transport = self.sign_in()
        self.factory.shut_down()
        self.assertEqual(transport.read(), b"-ERR [SYS/TEMP] Closing: server shutting down\r\n")
        self.assertFalse(transport.is_open)

    def test_too_many_connections(self) -> None:
        self.factory = self.make_factory(limits=POP3Limits(connections=1))
        self.connect()
        self.assertEqual(self.connect().read(), b"-ERR [SYS/TEMP] Closing: too many connections\r\n")


class RefusalTests(SessionTestCase):
    def test_an_error_of_the_checker_is_told(self) -> None:
        def refuse(credentials: object) -> Any:
            raise AuthenticationFailed("Not today")

        self.checker.requestAvatarId = refuse
        self.play("C: USER alice\nS: +OK...\nC: PASS secret word\nS: -ERR [AUTH] Not today")
