"""``mailproto mirror`` and ``mailproto migrate``: what they say, and their exit status."""

from __future__ import annotations

import imaplib
import io
import json
import os
from argparse import ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from mailproto.mirroring import MailboxComparison, MirrorReport
from mailproto.service import _command
from mailproto.service._command_error import CommandError
from mailproto.service._migrate_command import Outcome, _print
from mailproto.service._migrate_list import migrations
from mailproto.service._mirror_command import report_text
from mailproto.service._mirror_place import MirrorPlace
from tests.processes import ProgramCase, port_of


class PlaceTests(SynchronousTestCase):
    def test_all_mailboxes_or_one(self) -> None:
        for text, mailbox in (
            ("imaps://bob@mail.example", ""),
            ("imap://bob@mail.example/", ""),
            ("imap://bob@mail.example/INBOX", "INBOX"),
            ("imap://bob@mail.example/Work/%C3%9C", "Work/Ü"),
            ("account:bob@mail.example", ""),
        ):
            self.assertEqual(MirrorPlace.parse(text).mailbox, mailbox, text)

    def test_what_is_none(self) -> None:
        for text in ("", "account:", "mbox:x", "pop3://bob@mail.example", "imap://a:b@c", "bob"):
            self.assertRaises(ArgumentTypeError, MirrorPlace.parse, text)


class ListTests(SynchronousTestCase):
    def test_a_list(self) -> None:
        text = (
            "source,source_password,target,target_password\n# old server\n\n"
            'imaps://bob@old.example,"a, ""b""",account:bob@new.example\r\n'
            "account:c@new.example,,imap://c@other.example, x\n"
        )
        first, second = migrations(text)
        self.assertEqual(
            (str(first.source), str(first.target)), ("imaps://bob@old.example", "account:bob@new.example")
        )
        self.assertEqual(first.passwords[0].password, 'a, "b"')  # type: ignore[union-attr]
        self.assertEqual(second.passwords[1].password, " x")  # type: ignore[union-attr]
        self.assertNotIn('a, "b"', repr(first))

    def test_faults_name_the_line_and_no_password(self) -> None:
        for line, text in (
            ("imaps://bob@old.example,secret", "line 2: must be SOURCE,SOURCE_PASSWORD,TARGET"),
            ("imaps://bob@old.example,,account:b", "line 2: imaps://bob@old.example needs a password"),
            ("account:a,secret,account:b", "line 2: an account here needs no password"),
            ("imaps://bob@old.example/INBOX,secret,account:b", "line 2: accounts are migrated as a whole"),
            ('account:a,"secret,account:b', "line 2: its quotes are wrong"),
            ("account:x,,account:y", "line 2: it is there twice"),
        ):
            with self.assertRaises(ValueError) as caught:
                list(migrations(f"account:x,,account:y\n{line}\n"))
            self.assertIn(text, str(caught.exception))
            self.assertNotIn("secret", str(caught.exception))


class CommandTests(ProgramCase):
    timeout = 120

    def test_mirror_and_migrate(self) -> None:
        names = ("alice", "bob", "carol", "dave")
        accounts = [each for name in names for each in ("--account", f"{name}@localhost:secret")]
        server = self.start("mailproto", "--imap", "tcp:0:interface=127.0.0.1", *accounts)
        server.wait_for("mailproto is ready")
        port = port_of(server, "imap")
        client = imaplib.IMAP4("127.0.0.1", port)
        self.addCleanup(client.shutdown)
        client.login("alice@localhost", "secret")
        client.create("Work")
        for box, text in (("INBOX", "one"), ("INBOX", "two"), ("Work", "three")):
            client.append(box, "(\\Seen)", "", f"Subject: {text}\r\n\r\n{text}\r\n".encode())
        password = ("--password-command", "echo secret")

        def run(*arguments: str, status: int = 0) -> str:
            ran = self.command(*arguments)
            self.assertEqual(ran.returncode, status, ran.stderr + ran.stdout)
            return str(ran.stdout + ran.stderr)

        url = f"imap://alice@localhost@localhost:{port}"
        looked = run("mirror", url, "account:bob", *password, "--dry-run")
        self.assertIn("1 made, 3 messages copied; nothing was changed", looked)
        said = run("mirror", url, "account:bob@localhost", *password)
        self.assertRegex(said, r"mailboxes: 1 made, 3 messages copied \(\d+ octets\)\n")
        self.assertIn("nothing is new", run("mirror", url, "account:bob", *password))
        client.select("INBOX")
        client.store("1", "+FLAGS", "(\\Flagged)")
        said = run("mirror", url, "account:bob", "--both", "--json", *password)
        found = json.loads(said)
        self.assertEqual((found["flagged"], found["copied"], found["failures"]), (1, 0, []))
        missing = run("mirror", url, "account:bob", "--mailbox", "None", *password, status=os.EX_TEMPFAIL)
        self.assertIn("None: there is no such mailbox", missing)
        other = f"imap://dave@localhost@localhost:{port}"
        both = (*password, "--target-password-command", "echo secret", "--state", "two-servers")
        self.assertIn("3 messages copied", run("mirror", url, other, *both))

        rows = Path(self.folder, "list.csv")
        rows.write_text(f"{url},secret,account:carol@localhost\naccount:bob,,account:carol@localhost\n")
        rows.chmod(0o600)
        said = run("migrate", "list.csv", "--dry-run")
        self.assertIn("2 of 2 accounts can be migrated", said)
        rows.write_text(f"{url},secret,account:carol@localhost\n")
        said = run("migrate", "list.csv")
        self.assertIn(f"ok {url} to account:carol@localhost: 1 made, 3 messages copied", said)
        self.assertIn("compared: all 3 messages there\n1 of 1 account agree", said)
        self.assertEqual(self.command("mailbox", "delete", "carol@localhost", "Work").returncode, 0)
        rows.write_text(f"{url},,account:carol@localhost\n")
        said = run("migrate", "list.csv", "--no-compare", *password)
        self.assertIn("1 made, 1 message copied", said)  # otherwise it would be missing, and all be well
        rows.write_text(f"{url},wrong,account:carol@localhost\naccount:bob,,account:dave@localhost\n")
        said = run("migrate", "list.csv", status=os.EX_TEMPFAIL)
        self.assertIn(
            "ok account:bob@localhost to account:dave@localhost: nothing is new; compared: all 3", said
        )
        self.assertRegex(said, r"\nFAILED .*check the user's name and the password\n1 of 2 accounts agree")
        self.assertNotIn("wrong", said)

    def test_usage(self) -> None:
        for arguments, text in (
            (("imap://a:b@c", "account:x"), "argument SOURCE: the URL must have no password"),
            (("account:x", "mbox:x"), "argument TARGET: must be account:NAME@DOMAIN"),
        ):
            printed = io.StringIO()
            with patch("sys.stderr", printed):
                self.assertRaises(SystemExit, _command._parser().parse_args, ["mirror", *arguments])
            self.assertIn(text, printed.getvalue())
        options = _command._parser().parse_args(["mirror", "account:x", "imaps://a@c/Work"])
        self.assertRaisesRegex(CommandError, "leave out the mailbox", options.first, options)
        options = _command._parser().parse_args(["mirror", "imaps://a@c", "account:x", "--plain"])
        self.assertRaisesRegex(CommandError, "imaps is TLS: write imap://", options.first, options)

    async def test_faults(self) -> None:
        urls = ("imap://a@127.0.0.1:1", "imap://b@127.0.0.1:1")
        passwords = ("--password-command", "echo x", "--target-password-command", "echo x")
        for places, status, text in (
            (urls, os.EX_TEMPFAIL, "Cannot connect to 127.0.0.1:1: Connection"),
            (urls[:1] * 2, os.EX_USAGE, "SOURCE and TARGET are the same"),
        ):
            await self.fault([*places, "--state", f"{self.folder}/state", *passwords], status, text)

    def test_mailboxes_that_are_left_alone_are_named(self) -> None:
        report = MirrorReport(left_out=["a", "b", "c", "d", "e"])
        self.assertEqual(report_text(report), "nothing is new; left alone: a, b, c and 2 more")

    def test_mailboxes_that_lack_messages_are_named(self) -> None:
        compared = [MailboxComparison("Whole", 3, 3, 0), MailboxComparison("Work", 3, 2, 1)]
        outcome = Outcome("imap://a@b", "account:a@b", MirrorReport(), compared)
        with patch("sys.stderr", io.StringIO()) as errors, patch("sys.stdout", io.StringIO()):
            _print([outcome], Namespace(json=False, dry_run=False, no_compare=False))
        self.assertEqual(errors.getvalue(), "mailproto: imap://a@b: Work: 1 of 3 missing\n")

    def test_a_target_with_a_mailbox(self) -> None:
        options = _command._parser().parse_args(["mirror", "account:a@b", "imap://b@127.0.0.1:1/Lists"])
        with self.assertRaisesRegex(CommandError, "/Lists: TARGET is a whole account") as caught:
            options.first(options)
        self.assertEqual(caught.exception.status, os.EX_USAGE)

    async def fault(self, arguments: list[str], status: int, text: str) -> None:
        options: Any = _command._parser().parse_args(["mirror", *arguments])
        options.first(options)
        with self.assertRaises(CommandError) as caught:
            await options.alone(reactor, options)
        self.assertEqual(caught.exception.status, status)
        self.assertIn(text, str(caught.exception))
