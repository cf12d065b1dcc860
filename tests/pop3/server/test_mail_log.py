"""What the mail log has of POP3: sign-ins, and what fails for a reason of ours."""

from __future__ import annotations

from twisted.logger import LogLevel

from mailproto.errors import StorageFull
from mailproto.testing import ELSEWHERE
from tests.mail_log import captured, only
from tests.pop3.server.session import ALICE, SessionTestCase

CAUSE = "OperationalError: database or disk is full"


class MailLogTests(SessionTestCase):
    def test_signing_in(self) -> None:
        for script, kind, fields in (
            (ALICE, "signed-in", {"account": "alice", "mechanism": "USER"}),
            (
                "C: USER alice\nS: +OK...\nC: PASS wrong\nS: -ERR...",
                "sign-in-failed",
                {"name": "alice", "mechanism": "USER"},
            ),
            (
                "C: AUTH PLAIN AGFsaWNlAHNlY3JldCB3b3Jk\nS: +OK...",
                "signed-in",
                {"account": "alice", "mechanism": "PLAIN"},
            ),
            ("C: AUTH X\nS: -ERR...", "sign-in-failed", {"mechanism": "X"}),
        ):
            with self.subTest(script=script), captured() as events:
                self.play(script)
            event = only(events, kind)
            self.assertEqual({name: event[name] for name in fields}, fields)
            self.assertEqual((event["peer"], event["protocol"]), ("127.0.0.1", "pop3"))
            self.assertNotIn("wrong", repr(event))

    def test_a_password_in_clear(self) -> None:
        with captured() as events:
            transport = self.connect(ELSEWHERE)
            transport.read()
            self.play("C: USER alice\nS: -ERR...", transport)
        self.assertIn("not taken in clear", only(events, "sign-in-failed")["detail"])

    def test_quit_that_fails(self) -> None:
        self.inbox.add(b"Subject: x\r\n\r\n")
        transport = self.sign_in()
        self.play("C: DELE 1\nS: +OK...", transport)
        self.inbox.failure = StorageFull(detail=CAUSE)
        with captured() as events:
            self.play("C: QUIT\nS: -ERR [SYS/TEMP] Insufficient system storage\nS closes", transport)
        event = only(events, "failed")
        self.assertEqual((event["command"], event["account"], event["detail"]), ("QUIT", "alice", CAUSE))
        self.assertEqual(event["log_level"], LogLevel.error)
        self.assertEqual(only(events, "ended")["reason"], "Insufficient system storage")

    def test_a_maildrop_that_cannot_be_opened(self) -> None:
        self.account.failure = StorageFull(detail=CAUSE)
        with captured() as events:
            self.play("C: USER alice\nS: +OK...\nC: PASS secret word\nS: -ERR [SYS/TEMP]...")
        self.assertEqual(only(events, "failed")["command"], "PASS")

    def test_the_end(self) -> None:
        self.inbox.add(b"Subject: x\r\n\r\n")
        with captured() as events:
            transport = self.sign_in()
            self.play("C: RETR 1\nS: +OK...\nS: Subject: x\nS:\nS: .\nC: DELE 1\nS: +OK...", transport)
            self.play("C: QUIT\nS: +OK...\nS closes", transport)
        event = only(events, "ended")
        fields = {"reason": "quit", "account": "alice", "retrieved": 1, "removed": 1}
        self.assertEqual({name: event[name] for name in fields}, fields)
        with captured() as events:
            self.play("C: QUIT\nS: +OK...\nS closes")
        self.assertEqual(only(events, "ended")["log_level"], LogLevel.debug)
