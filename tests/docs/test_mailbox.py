"""The mailboxes of ``docs/mailbox.md`` do what the page says."""

from __future__ import annotations

import imaplib
import os
import re
import smtplib
import sqlite3
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import LoopingCall, deferLater
from twisted.trial.unittest import TestCase

from mailproto.content import Content
from mailproto.errors import ReadOnly
from mailproto.model import DELETED, FlagChange, FlagOperation, NewMessage, Part
from tests.docs.pages import FOLDER, run_pytest
from tests.processes import CHECKOUT, ProgramCase, port_of

EXAMPLE = CHECKOUT / "examples" / "folders.tac"
FOLDERS, TABLE, NOTES, TESTS = re.findall(
    r"^```python\n(.*?)^```$", (FOLDER / "mailbox.md").read_text(), re.M | re.S
)


class FoldersTests(ProgramCase):
    def test_folders(self) -> None:
        """A client sees the folders, and then a message that arrives, without asking for it again."""
        self.assertEqual(FOLDERS, EXAMPLE.read_text())
        endpoint = "tcp:0:interface=127.0.0.1"
        program = self.start(
            "--no_save", "--python", str(EXAMPLE), MAILPROTO_IMAP=endpoint, MAILPROTO_SMTP=endpoint
        )
        with imaplib.IMAP4("127.0.0.1", port_of(program, "imap")) as imap:
            with self.assertRaises(imaplib.IMAP4.error):
                imap.login("bob", "secret")
            imap.login("support", "secret")
            folders = [line.decode().rpartition(" ")[2] for line in imap.list()[1] if isinstance(line, bytes)]
            self.assertEqual(folders, ["Closed", "INBOX", "Open"])
            self.assertEqual(imap.select("Open", readonly=True), ("OK", [b"2"]))
            with smtplib.SMTP("127.0.0.1", port_of(program, "smtp")) as client:
                client.sendmail("bob@example.org", ["support@example.org"], "Subject: No\r\n toner\r\n\r\n")
            imap.response("EXISTS")  # the first one
            imap.noop()
            self.assertEqual(imap.response("EXISTS"), ("EXISTS", [b"3"]))
            [(_, octets), _] = imap.fetch("3", "(BODY[])")[1]  # type: ignore[attr-defined]
            self.assertTrue(octets.startswith(b"Subject: #3: No toner\r\n"), octets)
            self.assertEqual(imap.append("Open", "", "", b"Subject: x\r\n\r\n")[0], "NO")
            status, [text] = imap.create("New")
            self.assertEqual((status, text), ("NO", b"[CANNOT] Mailboxes cannot be created here"))

    def test_its_own_tests(self) -> None:
        self.assertIn("1 passed", run_pytest(Path(self.folder), TESTS, EXAMPLE))

    async def test_the_dict_changes(self) -> None:
        """Whatever is added, changed and removed in the dict is so in the account."""
        names: dict[str, Any] = {}
        exec(FOLDERS, names)
        tickets, account = names["TICKETS"], names["account"]
        tickets["Open"] = {"2": "It burns no more", "4": "Noise"}
        tickets["New"] = {"5": "Paper"}
        del tickets["Closed"]
        names["show"]()
        self.assertEqual([entry.name for entry in await account.list()], ["INBOX", "New", "Open"])
        open_tickets = await account.open("Open")
        infos = await open_tickets.read(range(1, 9), Part.CONTENT)
        subjects = [str(info.content.message()["Subject"]) for info in infos]
        self.assertEqual(subjects, ["#2: It burns no more", "#4: Noise"])
        before = (await open_tickets.status()).modseq
        names["show"]()
        self.assertEqual((await open_tickets.status()).modseq, before)


class OtherTests(TestCase):
    async def test_table(self) -> None:
        folder = self.mktemp()
        os.mkdir(folder)
        path = os.path.join(folder, "articles.sqlite3")
        database = sqlite3.connect(path, isolation_level=None)
        self.addCleanup(database.close)
        database.execute("CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT, body TEXT)")
        database.execute("INSERT INTO articles VALUES (1, 'One', 'First'), (2, 'Two', 'Second')")
        names: dict[str, Any] = {}
        program, loop = TABLE.split("articles = ")
        self.assertEqual(
            loop, 'Articles("articles.sqlite3")\nupdating = LoopingCall(articles.update).start(5)\n'
        )
        exec(program, names)
        articles = names["Articles"](path)
        updating = LoopingCall(articles.update)
        ended = updating.start(0.02)
        seen: list[list[bytes]] = []

        async def becomes(expected: list[bytes]) -> None:
            for _ in range(500):
                infos = await articles.read(range(1, 100), Part.CONTENT)
                seen.append([bytes(info.content) for info in infos])
                if seen[-1] == expected:
                    return
                await deferLater(reactor, 0.01)  # type: ignore[arg-type]
            self.fail(f"{seen[-1]}")

        one, two, other = (
            f"Subject: {title}\r\n\r\n{body}\r\n".encode()
            for title, body in (("One", "First"), ("Two", "Second"), ("Two", "Changed"))
        )
        try:
            await becomes([one, two])
            database.execute("UPDATE articles SET body = 'Changed' WHERE id = 2")
            await becomes([one, other])
            database.execute("DELETE FROM articles WHERE id = 1")
            await becomes([other])
        finally:
            updating.stop()
            await ended

    async def test_notes(self) -> None:
        names: dict[str, Any] = {}
        exec(NOTES, names)
        notes, kept = names["Notes"](), names["NOTES"]
        octets = [b"Subject: 1\r\n\r\n", b"Subject: 2\r\n\r\n"]
        await notes.append([NewMessage(Content(each)) for each in octets])
        self.assertEqual(kept, {1: octets[0], 2: octets[1]})
        with self.assertRaises(ReadOnly):
            await notes.move([1], notes)
        await notes.store([1], FlagChange(FlagOperation.ADD, frozenset({DELETED})))
        self.assertEqual(await notes.expunge(), [1])
        self.assertEqual(kept, {2: octets[1]})
