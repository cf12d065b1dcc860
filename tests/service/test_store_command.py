"""``mailproto store check`` as a process of its own."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from tests.backends.sqlite.test_migration import VERSIONS, store_of_version
from tests.processes import ProgramCase


class StoreCheckTests(ProgramCase):
    """One line a fault, one of figures, and a status."""

    def setUp(self) -> None:
        super().setUp()
        self.place = Path(self.folder, "store")
        store_of_version(VERSIONS[-1], str(self.place))

    def check(self, *options: str, status: int = 0) -> list[str]:
        done = self.command("store", "check", "--store", f"sqlite:{self.place}", *options)
        self.assertEqual((done.returncode, done.stderr), (status, ""), done.stdout)
        return done.stdout.splitlines()

    def execute(self, statement: str) -> None:
        connection = sqlite3.connect(self.place / "mail.sqlite3", isolation_level=None)
        connection.execute(statement)
        connection.close()

    def test_a_store_of_an_earlier_version(self) -> None:
        """It is brought to this version, and its summaries with it."""
        for version in VERSIONS:
            self.place = Path(self.folder, f"version {version}")
            store_of_version(version, str(self.place))
            figures = "2 accounts, 15 mailboxes, 13 messages, 0 queued, 9 bodies, 5 threads"
            self.assertEqual(self.check(), [f"{figures}, 9 summaries made anew", "nothing is wrong"])
            self.assertEqual(self.check(), [f"{figures}, 0 summaries made anew", "nothing is wrong"])

    def test_faults(self) -> None:
        self.check()
        self.execute("UPDATE mailboxes SET messages = messages + 2, size = 0 WHERE name = 'INBOX' AND id = 1")
        lines = self.check(status=1)
        self.assertEqual(len(lines), 4, lines)
        self.assertEqual(lines[0], "mailbox Alice@example.org/INBOX: messages is 9, and must be 7")
        self.assertEqual(lines[-1], "faults: 2; to mend what can be mended: --repair")
        self.assertEqual(self.check("--repair")[-1], "faults: 2; repaired: 2; left: 0")
        self.assertEqual(self.check()[-1], "nothing is wrong")
        self.execute("DELETE FROM contents WHERE body = 1")
        for options in ((), ("--repair",)):
            lines = self.check(*options, status=1)
            self.assertIn("message 1 in Alice@example.org/INBOX has lost its content", lines[0])
        self.assertTrue(lines[-1].endswith("repaired: 0; left: 3"), lines)

    def test_what_is_no_store(self) -> None:
        for url, said in (
            ("sqlite:/nonexistent", "there is no store in /nonexistent"),
            ("memory:", "a memory: store lives in the server's process"),
            ("none:", "unknown store 'none:'"),
        ):
            done = self.command("store", "check", "--store", url)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            [line] = done.stderr.splitlines()
            self.assertIn(said, line)
        self.assertEqual(self.command("store").returncode, os.EX_USAGE)


class SearchIndexTests(ProgramCase):
    """The figures of the search index, and building it anew."""

    def test_the_index_is_built_anew_and_measured(self) -> None:
        place = Path(self.folder, "store")
        store_of_version(VERSIONS[-1], str(place))
        for action in ("reindex", "stats"):
            done = self.command("store", action, "--store", f"sqlite:{place}")
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
            lines = dict(line.split(": ") for line in done.stdout.splitlines())
            self.assertEqual((lines["accounts"], lines["messages"], lines["indexed"]), ("2", "9", "9"))
            self.assertGreater(int(lines["octets of decoded text"]), 0)
            self.assertGreater(int(lines["octets of the search index"]), 0)
