"""What an application gives to its mailboxes: taken if it has one meaning, or else refused by name."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from email.message import EmailMessage, Message
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto._arguments import shown
from mailproto.backends import SimpleAccount, SimpleMailbox, SingleStore
from mailproto.errors import InvalidMailboxName
from mailproto.model import MessageInfo, Part


class GivenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.mailbox = SimpleMailbox()

    def added(self, content: Any, **how: Any) -> tuple[MessageInfo, set[str]]:
        uid = self.mailbox.add(content, **how).uid
        parts = Part.CONTENT | Part.SIZE | Part.INTERNAL_DATE
        [info] = self.successResultOf(Deferred.fromCoroutine(self.mailbox.read([uid], parts)))
        changes = self.successResultOf(Deferred.fromCoroutine(self.mailbox.changes_since(0)))
        return info, set(changes.changed[-1].flags)

    def refused(self, kind: type[Exception], *says: str, content: Any = b"", **how: Any) -> None:
        error = self.assertRaises(kind, self.mailbox.add, content, **how)
        for words in says:
            self.assertIn(words, str(error))

    def test_lines_end_with_crlf(self) -> None:
        for content, expected in (
            (b"a\nb\n", b"a\r\nb\r\n"),
            (b"a\r\nb\r\n", b"a\r\nb\r\n"),
            (b"\n\r\n\n", b"\r\n\r\n\r\n"),
            (b"a\rb", b"a\rb"),
            (bytearray(b"a\n"), b"a\r\n"),
            (memoryview(b"a\n"), b"a\r\n"),
            (b"", b""),
        ):
            info, _ = self.added(content)
            self.assertEqual((bytes(info.content or b""), info.size), (expected, len(expected)))

    def test_a_message_of_the_email_package(self) -> None:
        message = EmailMessage()
        message["Subject"] = "Grüße"
        message.set_content("From here\nto there é\n")
        message.add_attachment(b"\x00\n\r\n", maintype="application", subtype="octet-stream")
        content = bytes(self.added(message)[0].content or b"")
        self.assertNotRegex(content, rb"[^\r]\n")
        self.assertIn(b"\r\nFrom here\r\n", content)
        older = Message()
        older["Subject"] = "x"
        older.set_payload("From a\nb\n")
        self.assertEqual(bytes(self.added(older)[0].content or b""), b"Subject: x\r\n\r\nFrom a\r\nb\r\n")

    def test_what_is_no_content(self) -> None:
        self.refused(TypeError, "content must be", ".encode()", content="Subject: x")
        for wrong in (None, 5, ["a"], object()):
            self.refused(TypeError, "content must be", f"EmailMessage, not {shown(wrong)}", content=wrong)

    def test_flags(self) -> None:
        for given in (
            ["\\seen", "Label"],
            {"\\Seen", "Label"},
            ("\\Seen", "Label"),
            iter(["\\SEEN", "Label"]),
        ):
            self.assertEqual(self.added(b"", flags=given)[1], {"\\Seen", "Label"})
        self.refused(TypeError, "flags", r"{'\\Seen'}", flags="\\Seen")
        self.refused(TypeError, "flags", flags="")
        self.refused(TypeError, "flags must be", "not None", flags=None)
        self.refused(TypeError, "each of flags must be", "not b", flags={b"\\Seen"})
        self.refused(ValueError, "flags", "Sean", "\\Seen", flags={"\\Sean"})
        self.refused(ValueError, "flags", "Recent", flags={"\\Recent"})
        self.refused(ValueError, "flags", "a b", flags={"a b"})
        self.refused(ValueError, "flags", flags={"x" * 1000})

    def test_dates(self) -> None:
        summer = datetime(2001, 9, 9, 3, 46, 40, tzinfo=timezone(timedelta(hours=2)))
        for given, expected in (
            (1_000_000_000, 1_000_000_000),
            (1_000_000_000.9, 1_000_000_000),
            (-0.5, -1),
            (summer, 1_000_000_000),
            (0, 0),
        ):
            self.assertEqual(self.added(b"", internal_date=given)[0].internal_date, expected)
        self.assertLess(abs((self.added(b"")[0].internal_date or 0) - time.time()), 60)
        self.refused(ValueError, "internal_date", "time zone", internal_date=datetime(2001, 9, 9))
        self.refused(TypeError, "internal_date must be", "not '2001-09-09'", internal_date="2001-09-09")
        self.refused(TypeError, "internal_date must be", "not True", internal_date=True)
        self.refused(TypeError, "internal_date", "date", internal_date=summer.date())
        for wrong in (time.time() * 1000, float("nan"), float("inf")):
            self.refused(ValueError, "internal_date", internal_date=wrong)

    def test_nothing_is_added_then(self) -> None:
        self.refused(TypeError, flags="\\Seen")
        status = self.successResultOf(Deferred.fromCoroutine(self.mailbox.status()))
        self.assertEqual(status.messages, 0)

    def test_uid_validity(self) -> None:
        self.assertEqual(SimpleMailbox(uid_validity=1).uid_validity, 1)
        self.assertLess(abs(SimpleMailbox().uid_validity - time.time()), 60)
        for kind, wrong in (
            (ValueError, 0),
            (ValueError, -1),
            (ValueError, 1 << 32),
            (TypeError, "1"),
            (TypeError, 1.5),
            (TypeError, True),
        ):
            for call in (
                lambda wrong=wrong: SimpleMailbox(uid_validity=wrong),
                lambda wrong=wrong: self.mailbox.renamed("x", wrong),
            ):
                self.assertIn("uid_validity", str(self.assertRaises(kind, call)))

    def test_names(self) -> None:
        self.assertEqual(SimpleMailbox("inbox/cafe\u0301").name, "INBOX/caf\u00e9")
        for wrong in ("", "a//b", "a*", "a\r\nb"):
            self.assertRaises(InvalidMailboxName, SimpleMailbox, wrong)
            self.assertRaises(InvalidMailboxName, SimpleAccount, "alice", {wrong: self.mailbox})
        for kind in (b"INBOX", 5, [b"a message"]):
            self.assertRaises(TypeError, SimpleMailbox, kind)

    def test_what_is_no_mailbox(self) -> None:
        for wrong in (SimpleMailbox, [b""], "INBOX", object()):
            error = self.assertRaises(TypeError, SimpleAccount, "alice", {"INBOX": wrong})
            self.assertIn("IMailbox", str(error))
            self.assertRaises(TypeError, SingleStore, "alice", "", wrong)
        self.assertRaises(TypeError, SimpleAccount, "alice", [self.mailbox])
        self.assertRaises(TypeError, SimpleAccount, {"INBOX": self.mailbox}, {})
