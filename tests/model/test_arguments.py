"""Values of the wrong type are refused when they are made, not when they are used."""

from __future__ import annotations

import datetime
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mailproto.content import Content
from mailproto.model import (
    Address,
    Changes,
    CheckResult,
    Envelope,
    FlagChange,
    FlagColumns,
    FlagOperation,
    MailboxEntry,
    MailboxStatus,
    MessageFlags,
    MessageInfo,
    Metadata,
    NewMessage,
    Outcome,
    Placement,
    Recipient,
    ServiceExtensions,
    Session,
    StoreResult,
    TLSInfo,
    VerifiedName,
)
from tests.arguments import assert_refused

A = Address("a", "x.example")
SESSION = Session("ESMTP", "mx.example")
EMPTY = FlagColumns()


class TransactionTests(SynchronousTestCase):
    def refused(self, line: str, call: Any, /, *arguments: Any, **named: Any) -> None:
        assert_refused(self, line, call, *arguments, **named)

    def test_addresses(self) -> None:
        self.refused("local must be a str, not b'a'", Address, b"a", "x.example")
        self.refused('domain must be a str, "" only for the null path...', Address, "a@x.example", None)
        self.refused(
            "address must be an Address, not 'b@y.example': write Address.parse('b@y.example')",
            Recipient,
            "b@y.example",
        )
        self.refused("address must be an Address, not None", VerifiedName, None)
        self.refused("name must be a str of one line, not 'a\\r\\nb'", VerifiedName, A, "a\r\nb")
        self.refused(
            "parameters must be a mapping, not [('BODY', '8BITMIME')]", Recipient, A, [("BODY", "8BITMIME")]
        )

    def test_envelopes(self) -> None:
        recipients = (Recipient(A),)
        made = Envelope("1", A, recipients, SESSION)
        self.assertEqual(replace(made, id="a-b").id, "a-b")  # an id need not be like the server's
        for line, values in (
            (
                "sender must be an Address, not 'a@b': write Address.parse('a@b')",
                ("1", "a@b", ["c@d"], None),
            ),
            ("id must be a str of one line, not 1", (1, A, recipients, SESSION)),
            ("id must be a str of one line, not '1\\r\\n2'", ("1\r\n2", A, recipients, SESSION)),
            ("recipients must be a tuple of Recipient, not ['c@d']: such as...", ("1", A, ["c@d"], SESSION)),
            (
                "recipients must be a tuple of Recipient, not ('c@d',): such as...",
                ("1", A, ("c@d",), SESSION),
            ),
            ("recipients must be a tuple of Recipient, not 'c@d': such as...", ("1", A, "c@d", SESSION)),
            ("recipients must be a tuple of Recipient, at least one, not ()", ("1", A, (), SESSION)),
            ("session must be a Session, not None", ("1", A, recipients, None)),
            ("parameters must be a mapping, not 'SIZE=3'", ("1", A, recipients, SESSION, "SIZE=3")),
        ):
            with self.subTest(line=line):
                self.refused(line, Envelope, *values)

    def test_values_of_subclasses_are_taken(self) -> None:
        class Named(str):
            pass

        class Far(Address):
            pass

        far = Far(Named("a"), Named("x.example"))
        self.assertEqual(Envelope(Named("1"), far, (Recipient(far),), SESSION).sender.local, "a")

    def test_sessions(self) -> None:
        self.refused("protocol must be a str, not None", Session, None, "mx.example")
        self.refused("hostname must be a str, not b'mx'", Session, "SMTP", b"mx")
        self.refused("submission must be True or False, not 'no'", Session, "SMTP", "mx", submission="no")
        self.refused("tls must be a TLSInfo or None, not True", Session, "SMTP", "mx", tls=True)
        self.refused("account must be a str or None, not 1", Session, "SMTP", "mx", account=1)
        self.refused("version must be a str, not 1.3", TLSInfo, 1.3, "AES")

    def test_service_extensions(self) -> None:
        self.refused("dsn must be True or False, not 'yes'", ServiceExtensions, dsn="yes")
        line = "deliver_by must be a whole number of at least 0, not True: seconds, or None..."
        self.refused(line, ServiceExtensions, deliver_by=True)
        line = "future_release must be a whole number of at least 0, not -1: seconds, or None..."
        self.refused(line, ServiceExtensions, future_release=-1)
        self.refused("mt_priority must be a str of one line, not 3", ServiceExtensions, mt_priority=3)

    def test_outcomes(self) -> None:
        for line, values in (
            ("code must be a reply code from 200 to 599, not '250'", ("250", "2.0.0", "x")),
            ("code must be a reply code from 200 to 599, not True", (True, "2.0.0", "x")),
            ("code must be a reply code from 200 to 599, not 25", (25, "2.0.0", "x")),
            ("code must be a reply code from 200 to 599, not 250.0", (250.0, "2.0.0", "x")),
            ("enhanced must be an enhanced status code such as '2.7.1', not '5.0.0'", (250, "5.0.0", "x")),
            ("enhanced must be an enhanced status code such as '5.7.1', not '5.1'", (550, "5.1", "x")),
            ("enhanced must be an enhanced status code such as '5.7.1', not ''", (550, "", "x")),
            ("enhanced must be an enhanced status code such as '5.7.1', not None", (550, None, "x")),
            (
                "enhanced must be an enhanced status code such as '5.7.1', not ['5.7.1']",
                (550, ["5.7.1"], "x"),
            ),
            ("text must be a str, not b'x'", (550, "5.7.1", b"x")),
            ("text must be a str, not None", (550, "5.7.1", None)),
            ("detail must be a str, not 3", (550, "5.7.1", "x", 3)),
        ):
            with self.subTest(line=line):
                self.refused(line, Outcome, *values)
        self.assertFalse(Outcome(550, "5.7.509", "x").accepted)


class MailboxTests(SynchronousTestCase):
    def refused(self, line: str, call: Any, /, *arguments: Any, **named: Any) -> None:
        assert_refused(self, line, call, *arguments, **named)

    def test_flags(self) -> None:
        hint = ": write frozenset({'\\\\Seen'})"
        takes = "flags must be a frozenset of str, not "
        self.refused(f"{takes}'\\\\Seen'{hint}", NewMessage, b"", "\\Seen")
        self.refused(f"{takes}['\\\\Seen']{hint}", NewMessage, b"", ["\\Seen"])
        self.refused(f"{takes}{{'\\\\Seen'}}{hint}", Placement, "a", flags={"\\Seen"})
        self.refused(f"{takes}'\\\\Seen'{hint}", FlagChange, FlagOperation.ADD, "\\Seen")
        self.refused(f"{takes}frozenset({{b'x'}})", FlagChange, FlagOperation.ADD, frozenset({b"x"}))
        self.refused(f"{takes}None", NewMessage, b"", None)
        line = "operation must be a FlagOperation, not '+FLAGS': such as FlagOperation.ADD"
        self.refused(line, FlagChange, "+FLAGS", frozenset())

    def test_dates(self) -> None:
        date = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
        takes = "internal_date must be whole seconds since the epoch, or None, not "
        hint = ": write int(date.timestamp())"
        self.refused(f"{takes}{date!r}{hint}", NewMessage, b"", internal_date=date)
        self.refused(f"{takes}1.5", NewMessage, b"", internal_date=1.5)
        self.refused(f"{takes}'now'", NewMessage, b"", internal_date="now")
        self.assertEqual(NewMessage(b"", internal_date=-1).internal_date, -1)

    def test_messages(self) -> None:
        self.refused("content must be octets: write text.encode()", NewMessage, "Subject: x\r\n\r\n")
        self.refused("content must be bytes or a Content, not EmailMessage...", NewMessage, EmailMessage())
        self.refused("account must be an account's name, a str, not None", Placement, None)
        self.refused("mailbox must be a mailbox's name, a str, not b'x'", Placement, "a", b"x")

    def test_status(self) -> None:
        good = MailboxStatus(0, 0, 0, 1, 1, 1, 0, 0)
        self.assertEqual((good, good.uid_next, good.mailbox_id), ((0, 0, 0, 1, 1, 1, 0, 0, None), 1, None))
        self.assertEqual(good._replace(messages=2).messages, 2)
        for name, value, line in (
            ("uid_validity", 0, "uid_validity must be a whole number of at least 1, not 0"),
            ("uid_validity", 1 << 32, "uid_validity must be from 1 to 2**32 - 1, not 4294967296"),
            ("uid_next", 0, "uid_next must be a whole number of at least 1, not 0"),
            ("modseq", 0, "modseq must be a whole number of at least 1, not 0"),
            ("messages", -1, "messages must be a whole number of at least 0, not -1"),
            ("unseen", None, "unseen must be a whole number of at least 0, not None"),
            ("size", 1.5, "size must be a whole number of at least 0, not 1.5"),
            ("deleted", True, "deleted must be a whole number of at least 0, not True"),
            ("mailbox_id", b"x", "mailbox_id must be a str or None, not b'x'"),
        ):
            with self.subTest(name=name, value=value):
                self.refused(line, MailboxStatus, **{**good._asdict(), name: value})

    def test_what_is_read(self) -> None:
        self.assertEqual(MessageInfo(1, 2, 3, content=Content(b"x"))._replace(uid=4).uid, 4)
        self.assertEqual(MessageInfo(1), (1, *[None] * 10))
        date = "internal_date must be whole seconds since the epoch, or None, not "
        for line, values in (
            ("uid must be a whole number of at least 0, not '1'", ("1",)),
            (f"{date}1.5", (1, 1.5)),
            ("size must be a whole number of at least 0, not -1", (1, None, -1)),
            ("envelope must be bytes or None, not 'x'", (1, None, None, "x")),
            ("offsets must be bytes or None, not ()", (1, None, None, None, None, ())),
            (
                "content must be a Content or None, not b'x': write Content(octets)",
                (1, None, None, None, None, None, b"x"),
            ),
            ("thread_id must be a str or None, not 5", (1, *[None] * 7, 5)),
        ):
            with self.subTest(line=line):
                self.refused(line, MessageInfo, *values)

    def test_lists_of_mailboxes(self) -> None:
        self.refused("selectable must be True or False, not None", MailboxEntry, "INBOX", None)
        self.refused("exists must be True or False, not 'no'", MailboxEntry, "INBOX", exists="no")
        self.refused("name must be a str, not b'INBOX'", MailboxEntry, b"INBOX")
        line = "special_use must be a frozenset of str, not '\\\\Sent': write frozenset({'\\\\Sent'})"
        self.refused(line, MailboxEntry, "Sent", special_use="\\Sent")
        self.refused("special_use must be a frozenset of str, not ''", MailboxEntry, "Sent", special_use="")

    def test_columns(self) -> None:
        line = "uids, flags and modseqs must be of the same length, not 1, 0 and 0"
        self.refused(line, FlagColumns, [1])
        line = "uids, sizes and internal_dates must be of the same length, not 1, 1 and 0"
        self.refused(line, Metadata, [1], [2])
        self.refused("uids must be a sequence, not None", Metadata, None)
        self.refused("flags must be a sequence, not 5", FlagColumns, [1], 5, [1])
        row = MessageFlags(1, frozenset(), 1)
        self.assertEqual(list(FlagColumns.of([row])), [row])
        self.refused("each of messages must be a MessageFlags, not (1, 2, 3)", FlagColumns.of, [(1, 2, 3)])
        line = "flags must be a frozenset of str, not ['x']: write frozenset({'x'})"
        self.refused(line, FlagColumns.of, [MessageFlags._make([1, ["x"], 1])])
        hint = ": write FlagColumns.of(messages)"
        self.refused(f"changed must be FlagColumns, not []{hint}", Changes, [], (), 1)
        self.refused(f"changed must be FlagColumns, not []{hint}", StoreResult, [])
        self.refused("vanished must be a sequence of ascending UIDs, not {1}", Changes, EMPTY, {1}, 1)
        self.refused("refused must be a sequence of ascending UIDs, not None", StoreResult, EMPTY, None)
        self.refused("modseq must be a whole number of at least 0, not None", Changes, EMPTY, (), None)

    def test_results_of_checks(self) -> None:
        self.refused("counts must be a mapping, not 3", CheckResult, 3)
        self.refused("faults must be a whole number of at least 0, not 'none'", CheckResult, {}, "none")
