"""What the mail log has of IMAP: sign-ins, what clients append, and what fails for a reason of ours."""

from __future__ import annotations

from typing import Any

from twisted.logger import LogLevel

from mailproto.errors import OverQuota, StorageFull
from mailproto.testing import ELSEWHERE
from tests.imap.server.dialogue import DialogueTestCase
from tests.mail_log import captured, only

CAUSE = "OperationalError: database or disk is full"


class MailLogTests(DialogueTestCase):
    def fail_with(self, error: Exception, name: str) -> None:
        async def failing(*_: Any, **__: Any) -> Any:
            raise error

        self.patch_method(self.inbox, name, failing)

    def test_signing_in(self) -> None:
        for line, kind, fields in (
            (b"a LOGIN alice secret", "signed-in", {"account": "alice", "mechanism": "LOGIN"}),
            (b"a LOGIN alice wrong", "sign-in-failed", {"name": "alice", "mechanism": "LOGIN"}),
            (b"a LOGIN bob wrong", "sign-in-failed", {"name": "bob", "mechanism": "LOGIN"}),
            (
                b"a AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==",
                "signed-in",
                {"account": "alice", "mechanism": "PLAIN"},
            ),
            (
                b"a AUTHENTICATE PLAIN AGFsaWNlAHdyb25n",
                "sign-in-failed",
                {"name": "alice", "mechanism": "PLAIN"},
            ),
            (b"a AUTHENTICATE X", "sign-in-failed", {"mechanism": "X"}),
        ):
            with self.subTest(line=line), captured() as events:
                self.connect().send(line + b"\r\n")
            event = only(events, kind)
            self.assertEqual({name: event[name] for name in fields}, fields)
            self.assertEqual((event["peer"], event["protocol"]), ("127.0.0.1", "imap"))
            self.assertNotIn("wrong", repr(event))

    def test_a_password_in_clear(self) -> None:
        with captured() as events:
            self.connect(peer=ELSEWHERE).send(b"a LOGIN alice secret\r\n")
        event = only(events, "sign-in-failed")
        self.assertEqual((event["peer"], event["mechanism"]), (ELSEWHERE, "LOGIN"))
        self.assertEqual(event["detail"], "Start TLS first")

    def test_append(self) -> None:
        client = self.sign_in()
        with captured() as events:
            client.send(b"a APPEND INBOX {5+}\r\nabc\r\n\r\n")
        event = only(events, "appended")
        fields = {"account": "alice", "mailbox": "INBOX", "uid": 1, "size": 5}
        self.assertEqual({name: event[name] for name in fields}, fields)

    def test_a_store_that_fails(self) -> None:
        """The client is told no more than that it failed, and the log why; the level is by the kind."""
        for error, level in (
            (StorageFull(detail=CAUSE), LogLevel.error),
            (OverQuota(detail="5 MB of 5 MB"), LogLevel.info),
        ):
            client = self.sign_in(select="INBOX")
            self.fail_with(error, "append")
            with captured() as events:
                client.send(b"a APPEND INBOX {5+}\r\nabc\r\n\r\n")
            event = only(events, "failed")
            self.assertEqual((event["command"], event["account"]), ("APPEND", "alice"))
            self.assertEqual((event["reply"], event["detail"]), (error.text, error.detail))
            self.assertEqual(event["log_level"], level)
            self.assertNotIn(error.detail.encode(), client.received())

    def test_other_commands(self) -> None:
        self.fill(1)
        for name, line, command in (
            ("store", rb"a STORE 1 +FLAGS (\Seen)", "STORE"),
            ("read", b"a UID FETCH 1 BODY[]", "FETCH"),
            ("expunge", b"a EXPUNGE", "EXPUNGE"),
        ):
            client = self.sign_in(select="INBOX")
            self.fail_with(StorageFull(detail=CAUSE), name)
            with captured() as events:
                client.send(line + b"\r\n")
            event = only(events, "failed")
            self.assertEqual((event["command"], event["detail"]), (command, CAUSE))

    def test_what_a_client_may_expect_is_no_failure(self) -> None:
        client = self.sign_in()
        with captured() as events:
            client.send(b"a SELECT nothing\r\nb APPEND nothing {5+}\r\nabc\r\n\r\n")
        self.assertEqual(events, [])

    def test_the_end(self) -> None:
        for lines, level, fields in (
            (b"a LOGOUT\r\n", LogLevel.debug, {"reason": "quit"}),
            (
                b"a LOGIN alice secret\r\nb NOOP\r\nc LOGOUT\r\n",
                LogLevel.info,
                {"reason": "quit", "account": "alice", "commands": 2},
            ),
            (b"a X\r\n" * 20, LogLevel.debug, {"reason": "too many bad commands"}),
            (b"a LOGIN a b\r\n" * 5, LogLevel.info, {"reason": "too many failed logins", "refused": 5}),
        ):
            with self.subTest(lines=lines), captured() as events:
                client = self.connect()
                client.send(lines)
                client.received()
            event = only(events, "ended")
            self.assertEqual({name: event.get(name) for name in fields}, fields)
            self.assertEqual(event["log_level"], level)
