"""A server whose disk is really full: people sign in, read and make room, and mail is taken again."""

from __future__ import annotations

import contextlib
import imaplib
import os
import poplib
import re
import smtplib
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest, TestCase

from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite._database import DATABASE
from mailproto.backends.sqlite._room import LOOK_INTERVAL
from mailproto.errors import StoreUnusable
from tests.interop.server import ACCOUNTS, HOST, PASSWORD, PATIENCE, Server, message, new_folder

ALICE, BOB = ACCOUNTS[:2]
SMALL, BIG = ("x" * 70 + "\r\n") * 200, ("x" * 70 + "\r\n") * 6000
MIB = 1 << 20
FULL = (452, "4.3.1 Insufficient system storage")


def mounted(test: TestCase, size: int) -> Path:
    """A folder that is a small file system of its own."""
    if os.geteuid() != 0:
        raise SkipTest("needs root, to mount a small file system")
    folder = new_folder()
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "mailproto-test", folder], check=True)
    test.addCleanup(subprocess.run, ["umount", "-l", folder], check=True)  # type: ignore[arg-type]
    return folder


def fill_with_something_else(folder: Path) -> Path:
    """A file that takes all that is left."""
    path = folder / "something-else"
    with path.open("wb") as file, contextlib.suppress(OSError):
        while True:
            os.write(file.fileno(), bytes(4096))
    return path


class FullDiskTests(TestCase):
    timeout = 300

    def setUp(self) -> None:
        self.folder = mounted(self, 14 * MIB)
        self.server = Server(self.folder, [ALICE, BOB])
        self.addCleanup(self.server.kill)
        self.smtp: smtplib.SMTP | None = None
        self.addCleanup(self.hang_up)

    # -- what clients do

    @contextlib.contextmanager
    def imap(self, name: str = ALICE) -> Iterator[imaplib.IMAP4]:
        with imaplib.IMAP4(HOST, self.server.ports["imap"], timeout=PATIENCE) as client:
            client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.login(name, PASSWORD)
            yield client

    def send(self, text: str, to: str = ALICE) -> tuple[int, str]:
        """The answer to a message."""
        if self.smtp is None:
            self.smtp = smtplib.SMTP(HOST, self.server.ports["smtp"], timeout=PATIENCE)
            self.smtp.ehlo("client")
        self.smtp.mail("bob@example.com")
        self.smtp.rcpt(to)
        code, reply = self.smtp.data(message(text)[1])
        if code != 250:
            self.hang_up()
        return code, reply.decode()

    def hang_up(self) -> None:
        if self.smtp is not None:
            self.smtp.close()
            self.smtp = None

    def fill_with_mail(self, text: str) -> int:
        """Send messages until one is refused for good; how many were taken."""
        refused = 0
        for taken in range(100_000):
            while (answer := self.send(text))[0] != 250:
                self.assertEqual(answer, FULL)
                if refused == taken + 1:
                    return taken
                refused = taken + 1
                time.sleep(1.5 * LOOK_INTERVAL)
        raise AssertionError("the disk never was full")

    def fill_with_something_else(self) -> Path:
        return fill_with_something_else(self.folder)

    # -- what must hold

    def assert_people_can_read(self, number: int) -> None:
        """All of alice's messages, by IMAP and POP3, with flags that cannot be kept or can."""
        with self.imap() as client:
            self.assertEqual(client.select(), ("OK", [b"%d" % number]))
            status, answer = client.fetch("1:*", "(BODY[])")
            bodies = [item[1] for item in answer if isinstance(item, tuple)]
            self.assertEqual((status, len(bodies)), ("OK", number))
            for body in bodies:
                self.assertTrue(body.endswith(b"x\r\n\r\n"))
            self.assertEqual(client.search(None, "TEXT", "xxxx")[0], "OK")
            self.assertEqual(client.status("INBOX", "(MESSAGES UNSEEN)")[0], "OK")
        pop3 = poplib.POP3(HOST, self.server.ports["pop3"], timeout=PATIENCE)
        pop3.user(ALICE)
        pop3.pass_(PASSWORD)
        self.assertEqual(pop3.stat()[0], number)
        self.assertEqual(pop3.retr(number)[1][-2], b"x" * 70)
        pop3.quit()

    def assert_nothing_more_is_taken(self) -> None:
        for text in (SMALL, BIG):
            self.assertEqual(self.send(text), FULL)
        with self.imap(BOB) as client:
            for text in (SMALL, BIG):
                status, answer = client.append("INBOX", "", None, message(text)[1])
                self.assertEqual((status, answer[0]), ("NO", b"[OVERQUOTA] Insufficient system storage"))

    def assert_people_can_delete(self, sequence: str) -> None:
        with self.imap() as client:
            client.select()
            self.assertEqual(client.store(sequence, "+FLAGS", r"(\Deleted)")[0], "OK")
            status, gone = client.expunge()
            self.assertEqual(status, "OK")
            self.assertNotEqual(gone, [None])

    def assert_mail_is_taken_soon(self, text: str, times: int = 1) -> None:
        deadline = time.monotonic() + 5
        while (answer := self.send(text))[0] != 250:
            self.assertEqual(answer, FULL)
            self.assertLess(time.monotonic(), deadline, self.server.printed()[-3000:])
            time.sleep(0.2)
        for _ in range(times - 1):
            self.assertEqual(self.send(text)[0], 250)

    def assert_log_is_plain(self) -> None:
        printed = self.server.printed()
        self.assertNotIn("Traceback", printed)
        self.assertNotIn("no transaction is active", printed)
        self.assertRegex(printed, r"#warn\] .*mail\.sqlite3: the disk is full")

    # -- the tests

    def test_small_mail_fills_the_disk(self) -> None:
        taken = self.fill_with_mail(SMALL)
        self.assertGreater(taken, 200)
        self.assert_people_can_read(taken)
        self.assert_nothing_more_is_taken()
        self.assert_people_can_delete(f"1:{taken // 2}")
        self.assert_mail_is_taken_soon(SMALL, taken // 3)
        self.assert_log_is_plain()

    def test_large_mail_fills_the_disk(self) -> None:
        taken = self.fill_with_mail(BIG)
        self.assertGreater(taken, 10)
        self.assert_people_can_read(taken)
        self.assert_people_can_delete("1:5")
        self.assert_mail_is_taken_soon(BIG, 2)

    def test_something_else_fills_the_disk(self) -> None:
        for text in 50 * [SMALL] + 5 * [BIG]:
            self.assertEqual(self.send(text)[0], 250)
        other = self.fill_with_something_else()
        number = 55 + self.fill_with_mail(SMALL)  # there may be a little room in the log
        self.assert_nothing_more_is_taken()
        self.assert_people_can_read(number)
        self.assert_people_can_delete("1:30")
        self.assert_people_can_read(number - 30)
        self.assert_mail_is_taken_soon(SMALL, 20)  # in the room that was freed in the database
        other.unlink()
        self.assert_mail_is_taken_soon(BIG, 5)
        self.assert_log_is_plain()

    def test_the_server_starts_on_a_full_disk(self) -> None:
        number = 20
        for _ in range(number):
            self.assertEqual(self.send(SMALL)[0], 250)
        for end in (self.server.terminate, self.server.kill):
            other = self.fill_with_something_else()
            self.hang_up()
            end()
            other = self.fill_with_something_else()
            self.server.start()
            number += self.fill_with_mail(SMALL)
            self.assert_people_can_read(number)
            self.assert_nothing_more_is_taken()
            other.unlink()
        self.assert_mail_is_taken_soon(BIG, 2)
        self.assert_people_can_delete("1:*")

    def test_pop3_makes_room(self) -> None:
        taken = self.fill_with_mail(SMALL)
        pop3 = poplib.POP3(HOST, self.server.ports["pop3"], timeout=PATIENCE)
        pop3.user(ALICE)
        pop3.pass_(PASSWORD)
        for number in range(taken):
            pop3.dele(number + 1)
        self.assertTrue(pop3.quit().startswith(b"+OK"))
        self.assert_mail_is_taken_soon(SMALL, taken // 2)

    def test_a_mailbox_is_deleted(self) -> None:
        with self.imap() as client:
            client.create("Old")
            with contextlib.suppress(imaplib.IMAP4.error):
                while client.append("Old", "", None, message(SMALL)[1])[0] == "OK":
                    pass
            self.assertEqual(client.delete("Old")[0], "OK")
        self.assert_mail_is_taken_soon(SMALL, 200)

    def test_again_and_again(self) -> None:
        self.fill_with_mail(SMALL)
        for _ in range(6):
            self.assert_people_can_delete("1:20")
            self.assert_mail_is_taken_soon(SMALL)
            again = self.fill_with_mail(SMALL)
            self.assertGreater(again, 5)
        self.assertRegex(self.server.printed(), re.compile("disk is full"))
        self.assert_people_can_read(self.count())

    def count(self) -> int:
        with self.imap() as client:
            return int(client.select(readonly=True)[1][0])


class StartTests(TestCase):
    """A store that is opened where there is no room."""

    timeout = 120

    async def start(self, folder: Path) -> str:
        """Why it does not start, or ""."""
        store = SQLiteStore(str(folder), reactor=reactor)  # type: ignore[arg-type]
        try:
            await store.start()
        except StoreUnusable as error:
            return str(error)
        await store.stop()
        return ""

    def assert_plain(self, reason: str) -> None:
        self.assertRegex(reason, r"^/[^\n]*/mail\.sqlite3: the disk is full: make room on it$")

    async def test_a_new_store_where_there_is_too_little_room(self) -> None:
        reasons = []
        for kib in (*range(4, 200, 12), 400, 2000):
            folder = mounted(self, kib << 10)
            if reason := await self.start(folder):
                self.assert_plain(reason)
            reasons.append(reason)
        self.assertGreater(len([reason for reason in reasons if reason]), 2)
        self.assertEqual(reasons[-1], "")

    async def test_an_old_store_is_left_as_it_is(self) -> None:
        script = Path(__file__).parent.parent.joinpath("backends", "sqlite", "version_1.sql").read_text()
        reasons = []
        for kib in (*range(60, 220, 4), 2000):
            folder = mounted(self, kib << 10)
            try:
                with contextlib.closing(sqlite3.connect(folder / DATABASE)) as connection:
                    connection.executescript(script)
                    before = connection.execute("SELECT count(*) FROM messages").fetchall()
            except sqlite3.Error:
                continue
            if reason := await self.start(folder):
                self.assert_plain(reason)
                subprocess.run(["mount", "-o", "remount,size=2m", folder], check=True)
                self.assertEqual(await self.start(folder), "")
            with contextlib.closing(sqlite3.connect(folder / DATABASE)) as connection:
                self.assertEqual(connection.execute("SELECT count(*) FROM messages").fetchall(), before)
            reasons.append(reason)
        self.assertGreater(len([reason for reason in reasons if reason]), 2)
        self.assertEqual(reasons[-1], "")
