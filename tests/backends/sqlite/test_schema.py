"""Stores of older versions, and what becomes of their accounts."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailproto.accounts import account_key
from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite._database import DATABASE
from mailproto.backends.sqlite._joining import join_accounts
from mailproto.backends.sqlite._schema import MIGRATIONS, Step, connect, prepare
from mailproto.errors import AccountExists, NoSuchAccount
from mailproto.model import INBOX, AppendedMessage, Part, Placement
from tests.processes import CHECKOUT

VERSION_1 = Path(__file__).with_name("version_1.sql").read_text(encoding="utf-8")
"""A store as the first version made it, dumped by ``sqlite3``."""

KEPT = {
    # name: (record, messages in INBOX, others of its mailboxes than a new account's)
    "Alice@example.org": ("alice's", 1, []),
    "josé@example.org": ("josé's", 1, []),
    "rené@example.org": ("rené's", 1, []),
    "postmaster@xn--bcher-kva.example": ("the postmaster's", 1, []),
    "zoë@xn--bcher-kva.example": ("zoë's, A-label", 0, []),
    "x2@example.org": ("x2's", 1, []),
    "x2-2@example.org": ("x2-2's", 0, []),
    "x²-3@example.org": ("x²'s", 2, []),
    "ﬁ+ne@example.org": ("ligature's", 1, []),
    "ＦＩ+ne-2@example.org": ("wide's", 1, []),
    "al\u200bice@example.org": ("unseen", 1, []),
    "folders@xn--bcher-kva.example": ("folders', A-label", 0, ["of folders@xn--bcher-kva.example"]),
    "folders-2@bücher.example": ("folders'", 0, ["of folders@bücher.example"]),
}

REPORTS = (
    r"'jos\xe9@example.org' and 'jose\u0301@example.org' have one name: the second, which has never",
    "'postmaster@xn--bcher-kva.example' and 'postmaster@b\\xfccher.example' have one name: the second, which"
    " has never been used, is removed, and its password is the first one's",
    r"'zo\xeb@xn--bcher-kva.example' and 'zo\xeb@b\xfccher.example' have one name: the second,",
    r"'zo\xeb@xn--bcher-kva.example' and 'zoe\u0308@b\xfccher.example' have one name: the second,",
    "'x2@example.org' and 'x\\xb2@example.org' have one name, and both have been used: the first keeps it,"
    " the second is x²-3@example.org now, with its mail and its password."
    " To be rid of it, move its mail and run: mailproto user delete x²-3@example.org",
    r"'\ufb01+ne@example.org' and '\u24d5i+ne@example.org' have one name: the second, which has never",
    r"'\ufb01+ne@example.org' and '\uff26\uff29+ne@example.org' have one name, and both have been used: the",
    r"with U+200B (ZERO WIDTH SPACE) any more; this one stays: 'al\u200bice@example.org'",
    r"'folders@xn--bcher-kva.example' and 'folders@b\xfccher.example' have one name, and both have been used",
)


class AccountNamesTests(TestCase):
    """An account's name is one in every spelling, since version 3."""

    async def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.path = os.path.join(self.folder, DATABASE)
        connection = sqlite3.connect(self.path)
        connection.executescript(VERSION_1)
        connection.close()
        self.warnings: list[str] = []
        globalLogPublisher.addObserver(self.note)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, self.note)  # type: ignore[arg-type]
        self.store = await self.started()

    def note(self, event: LogEvent) -> None:
        if "report" in event:
            self.warnings.append(event["report"])

    async def started(self) -> SQLiteStore:
        reactor: Any = installed
        store = SQLiteStore(self.folder, reactor=reactor)
        await store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
        return store

    async def test_what_is_kept(self) -> None:
        """Whatever had mail or mailboxes has them still, and is reached by its name."""
        new = {"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"}
        kept = {}
        for name in await self.store.directory.names():
            account = await self.store.account(name)
            inbox = await account.open(INBOX)
            others = sorted({entry.name for entry in await account.list()} - new)
            record = await self.store.directory.password_hash(name)
            kept[name] = (record, (await inbox.status()).messages, others)
        self.assertEqual(kept, KEPT)

    async def test_all_mail_is_there(self) -> None:
        texts = []
        for name in KEPT:
            inbox = await (await self.store.account(name)).open(INBOX)
            messages = await inbox.read([1, 2], Part.CONTENT)
            texts += [bytes(message.content or b"").split(b"\r\n")[0] for message in messages]
        connection = sqlite3.connect(self.path)
        self.addCleanup(connection.close)
        octets = connection.execute("SELECT octets FROM contents").fetchall()
        self.assertEqual(sorted(texts), sorted(row[0].split(b"\r\n")[0] for row in octets))
        self.assertEqual(len(texts), VERSION_1.count('INSERT INTO "messages"'))
        strays = connection.execute(
            "SELECT count(*) FROM mailboxes WHERE account NOT IN (SELECT id FROM accounts)"
        )
        self.assertEqual(strays.fetchall(), [(0,)])

    async def test_every_spelling_leads_there(self) -> None:
        directory = self.store.directory
        for name, kept in (
            ("JOSE\u0301@example.org.", "josé@example.org"),
            ("rene\u0301@EXAMPLE.org", "rené@example.org"),
            ("zoe\u0308@bücher.example", "zoë@xn--bcher-kva.example"),
            ("x²@example.org", "x2@example.org"),
            ("x2-3@example.org", "x²-3@example.org"),
            ("fi+ne-2@example.org", "ＦＩ+ne-2@example.org"),
        ):
            self.assertEqual(await directory.find(name), kept)
            await self.assertFailure(Deferred.fromCoroutine(directory.add(name, "")), AccountExists)
            [appended] = await self.store.deliver(b"x: y\r\n\r\n", [Placement(name)])
            self.assertIsInstance(appended, AppendedMessage)
        await self.assertFailure(Deferred.fromCoroutine(directory.find("rene@example.org")), NoSuchAccount)

    async def test_the_operator_is_told_once(self) -> None:
        self.assertEqual(len(self.warnings), len(REPORTS), self.warnings)
        for expected in REPORTS:
            found = [line for line in self.warnings if expected in line]
            self.assertEqual(len(found), 1, (expected, self.warnings))
        await self.store.stop()
        self.store = await self.started()
        self.assertEqual(len(self.warnings), len(REPORTS))

    async def test_looked_up_by_keys_alone(self) -> None:
        connection = sqlite3.connect(self.path)
        self.addCleanup(connection.close)
        rows = connection.execute("SELECT folded, name FROM accounts").fetchall()
        self.assertEqual([folded for folded, _ in rows], [account_key(name) for _, name in rows])


class OddNamesTests(SynchronousTestCase):
    """A directory took any text."""

    NAMES = (
        *(
            "",
            "a\0b",
            "\0005",
            "?5",
            "-2",
            "@",
            "a@",
            "@b",
            "a@b@c",
            "'; DROP",
            "ALICE.",
            "\u0301@x",
            "a@\u0301b",
        ),
        *("x" * 2000, "é" * 600, "e\u0301" * 600, "é" * 1200, "e\u0301" * 1200, "a@ü..b", "A@Ü..B", "\ufdfa"),
    )

    def test_none_is_lost_that_was_used(self) -> None:
        connection = sqlite3.connect(":memory:")
        self.addCleanup(connection.close)
        for step in MIGRATIONS[:2]:
            connection.executescript(str(step))
        for number, name in enumerate(self.NAMES):
            connection.execute(
                "INSERT INTO accounts VALUES (?, ?, ?, 'hash', 0)", (number, f"old {number}", name)
            )
            connection.execute(
                "INSERT INTO mailboxes (account, name, uid_validity) VALUES (?, 'mine', 1)", (number,)
            )
        join_accounts(connection)
        rows = connection.execute("SELECT folded, name FROM accounts ORDER BY id").fetchall()
        self.assertEqual([folded for folded, _ in rows], [account_key(name) for _, name in rows])
        self.assertEqual(len(rows), len(self.NAMES))


class StepTests(SynchronousTestCase):
    """A step is SQL or a function; all of them are one transaction."""

    def test_a_function_that_fails_changes_nothing(self) -> None:
        path = self.mktemp()
        prepare(path)

        def fail(connection: sqlite3.Connection) -> list[str]:
            connection.execute("DELETE FROM validity")
            raise ZeroDivisionError

        steps: list[Step] = [*MIGRATIONS, "CREATE TABLE another (x);", fail]
        self.assertRaises(ZeroDivisionError, prepare, path, steps)
        connection = connect(path)
        self.addCleanup(connection.close)
        self.assertEqual(connection.execute("PRAGMA user_version").fetchone(), (len(MIGRATIONS),))
        self.assertEqual(connection.execute("SELECT count(*) FROM validity").fetchone(), (1,))
        self.assertRaises(sqlite3.OperationalError, connection.execute, "SELECT * FROM another")

    def test_many_processes_make_one_database(self) -> None:
        path, program = self.mktemp(), "import sys; from mailproto.backends.sqlite._schema import prepare\n"
        # All wait for the end of standard input, which they share.
        program += "sys.stdin.read(); prepare(sys.argv[1])"
        begin, go = os.pipe()
        environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
        made = [
            subprocess.Popen(
                [sys.executable, "-c", program, path], stdin=begin, stderr=subprocess.PIPE, env=environment
            )
            for _ in range(6)
        ]
        os.close(begin)
        os.close(go)
        self.assertEqual([process.communicate()[1] for process in made], [b""] * len(made))

    def test_of_a_new_store_nothing_is_said(self) -> None:
        said: list[LogEvent] = []
        globalLogPublisher.addObserver(said.append)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, said.append)  # type: ignore[arg-type]
        prepare(self.mktemp())
        self.assertEqual([event for event in said if "report" in event], [])
