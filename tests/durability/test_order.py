"""The running server answers with success when all is on disk, and what it does until then, in order."""

from __future__ import annotations

import imaplib
import poplib
import re
import smtplib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, TestCase

from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite._bodies import LARGE
from mailproto.backends.sqlite._database import DATABASE
from mailproto.model import FlagChange, FlagOperation, Placement
from tests.durability.disk import Disk
from tests.durability.recorder import Call, can_trace, read_record, strace, wait_for_end
from tests.interop.server import ACCOUNTS, HOST, PASSWORD, PATIENCE, Server, message, new_folder

reactor: Any = installed

ACCOUNT = ACCOUNTS[0]
SMALL, BIG = "x\r\n", ("x" * 70 + "\r\n") * (LARGE // 72 + 10)
WAL = f"data/mail/{DATABASE}-wal"
BODIES = f"data/mail/{DATABASE}-bodies"

UNSYNCED = {
    f"data/mail/{DATABASE}",  # a checkpoint's pages are in the log, too, until they are synced
    f"data/mail/{DATABASE}-shm",  # is made anew from the log
    f"data/mail/{DATABASE}-lock",  # has no content
    f"data/mail/{DATABASE}-reserve",  # neither
    # The search index is built anew if it is lost.
    *(f"data/mail/{DATABASE}-search{end}" for end in ("", "-journal", "-wal", "-shm", "-lock")),
}
"""What need not be on disk when something is answered."""


class RecordedServer(Server):
    """A server whose system calls are recorded."""

    def __init__(self, folder: Path, accounts: Sequence[str]) -> None:
        folder.parent.joinpath("root").mkdir()
        self.record = folder.with_name("record")
        super().__init__(folder.with_name("root") / folder.name, accounts, wrapper=strace(self.record))

    def calls(self) -> list[Call]:
        """All that it did; it has ended."""
        wait_for_end(self.record, self._process.pid)
        return read_record(self.record)


def talk(server: Server) -> None:
    """Have everything done once that is answered with a promise."""
    with smtplib.SMTP(HOST, server.ports["smtp"], timeout=PATIENCE) as smtp:
        for text in (SMALL, BIG, SMALL, BIG):
            smtp.sendmail("bob@example.com", [ACCOUNT], message(text)[1])
    with smtplib.LMTP(HOST, server.ports["lmtp"]) as lmtp:
        for text in (SMALL, BIG):
            lmtp.sendmail("bob@example.com", [ACCOUNT], message(text)[1])
    with imaplib.IMAP4(HOST, server.ports["imap"], timeout=PATIENCE) as imap:
        imap.login(ACCOUNT, PASSWORD)
        for text in (SMALL, BIG):
            imap.append("INBOX", r"(\Seen)", None, message(text)[1])
        imap.create("Folder/Below")
        imap.rename("Folder", "Other")
        imap.subscribe("Other")
        imap.select()
        imap.store("1:2", "+FLAGS", r"(\Deleted)")
        imap.copy("1,3", "Sent")
        imap.fetch("4", "(BODY[])")
        imap.expunge()
        imap.delete("Other/Below")
    pop3 = poplib.POP3(HOST, server.ports["pop3"], timeout=PATIENCE)
    pop3.user(ACCOUNT)
    pop3.pass_(PASSWORD)
    pop3.dele(1)
    pop3.dele(2)
    pop3.quit()


class OrderTests(TestCase):
    """One server's record, made once."""

    _record: tuple[list[Call], str] | None = None

    def setUp(self) -> None:
        if not can_trace():
            raise SkipTest("needs strace, and leave to use it: install the Debian package strace")
        if OrderTests._record is None:
            server = RecordedServer(new_folder(), [ACCOUNT])
            self.addCleanup(server.kill)
            talk(server)
            server.terminate()
            OrderTests._record = server.calls(), str(server.folder.parent)
        self.calls, self.root = OrderTests._record

    def said(self, pattern: bytes) -> list[int]:
        """Where something that matches was said to a client, or printed."""
        found = [
            at
            for at, call in enumerate(self.calls)
            if (call.name == "say" or call.path.endswith(".log")) and re.search(pattern, call.data)
        ]
        self.assertNotEqual(found, [], f"{pattern!r} was never said")
        return found

    def first(self, name: str, path: str, since: int, until: int) -> int:
        """The first call of that kind that began after ``since`` ended, and ended before ``until``."""
        for at in range(since + 1, until):
            call = self.calls[at]
            if (call.name, call.path) == (name, path) and call.began > since:
                return at
        raise AssertionError(f"no {name} of {path} between {self.calls[since]} and {self.calls[until]}"[:500])

    def path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def test_whatever_is_answered_is_on_disk(self) -> None:
        ready = self.said(rb"mailproto is ready")
        taken = self.said(rb"^250 2\.[016]\.\d (?!.*(sender|recipient|ok$))|^\w+ OK |^\+OK")
        disk, done = Disk(self.root), 0
        for at in sorted({*ready, *taken}):
            for call in self.calls[done:at]:
                disk.apply(call)
            done = at
            # Files that nothing names any more may be there again, and are swept at the next start.
            unsynced = {
                path
                for path in disk.uncertain() - UNSYNCED
                if not path.startswith("data/spool") and not self.was_removed(path, at)
            }
            self.assertEqual(unsynced, set(), f"not synced when the client was told: {self.calls[at].data!r}")
        self.assertGreater(len(taken), 20)

    def was_removed(self, path: str, until: int) -> bool:
        return any(call.name == "unlink" and call.path == self.path(path) for call in self.calls[:until])

    def test_a_large_message_is_written_synced_renamed_and_then_committed(self) -> None:
        renames = [
            (at, call)
            for at, call in enumerate(self.calls)
            if call.name == "rename" and call.path.startswith(self.path(BODIES))
        ]
        self.assertEqual(len(renames), 4)  # two by SMTP, one by LMTP, one by APPEND
        answers = self.said(rb"^250 2\.[06]\.0 |^\w+ OK \[APPENDUID")
        for rename, call in renames:
            answer = min(at for at in answers if at > rename)
            written = [
                at
                for at, each in enumerate(self.calls[:answer])
                if each.path in {call.path, call.target} and each.name in {"write", "truncate"}
            ]
            self.assertGreater(sum(len(self.calls[at].data) for at in written), LARGE)
            synced = self.first("sync", call.path, written[-1], rename)
            self.assertLess(synced, call.began)
            folder = self.first("sync", self.path(BODIES), rename, answer)
            log = self.first("write", self.path(WAL), folder, answer)
            last = max(at for at in range(log, answer) if self.calls[at][:2] == ("write", self.path(WAL)))
            self.first("sync", self.path(WAL), last, answer)

    def test_nothing_is_committed_before_the_folders_that_hold_it_are_on_disk(self) -> None:
        for name in ("data", "data/mail", BODIES):
            [made] = [
                at
                for at, call in enumerate(self.calls)
                if call.name == "mkdir" and call.path == self.path(name)
            ]
            ready = self.said(rb"mailproto is ready")[0]
            self.first("sync", str(Path(self.path(name)).parent), made, ready)
            if name == BODIES:
                # Not only by the luck that SQLite syncs the folder when it makes its log.
                wal = self.first("write", self.path(WAL), made, ready)
                self.first("sync", self.path("data/mail"), made, wal)

    def test_a_file_is_removed_after_the_commit_that_no_longer_names_it(self) -> None:
        removed = [
            at
            for at, call in enumerate(self.calls)
            if call.name == "unlink" and call.path.startswith(self.path(BODIES))
        ]
        self.assertNotEqual(removed, [])
        asked = self.said(rb"^\* 1 EXPUNGE|\+OK Bye")
        for at in removed:
            log = max(place for place in range(at) if self.calls[place][:2] == ("write", self.path(WAL)))
            self.first("sync", self.path(WAL), log, at)
        self.assertLessEqual(len(asked), len(removed) + 1)

    def test_files_that_must_be_whole_are_synced_and_then_renamed(self) -> None:
        names = {self.path(f"data/{name}") for name in ("secret", "tls-cert.pem", "tls-key.pem")}
        renames = [
            (at, call) for at, call in enumerate(self.calls) if call.name == "rename" and call.target in names
        ]
        self.assertEqual({call.target for _, call in renames}, names)
        # Not only by the luck that something else in the folder is synced later.
        [store_made] = [
            at for at, call in enumerate(self.calls) if call[:2] == ("mkdir", self.path("data/mail"))
        ]
        for rename, call in renames:
            written = max(at for at in range(rename) if self.calls[at][:2] == ("write", call.path))
            self.assertLess(self.first("sync", call.path, written, rename), call.began)
            self.first("sync", self.path("data"), rename, store_made)


class PragmaTests(TestCase):
    """Every connection that the running store has."""

    async def test_every_connection_syncs_each_commit(self) -> None:
        connections: list[Any] = []
        connect: Callable[..., Any] = sqlite3.connect

        def connected(*arguments: Any, **options: Any) -> Any:
            connections.append(connect(*arguments, **options))
            return connections[-1]

        self.patch(sqlite3, "connect", connected)
        store = SQLiteStore(self.mktemp(), reactor=reactor)
        await store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
        await store.directory.add(ACCOUNT, "")
        for text in (SMALL, BIG):
            await store.deliver(message(text)[1], [Placement(ACCOUNT)])
        inbox = await (await store.account(ACCOUNT)).open("INBOX")
        await inbox.store([1, 2], FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"})))
        await inbox.expunge()
        found = []
        for connection in connections:
            try:
                found.append(
                    [
                        connection.execute(f"PRAGMA {name}").fetchone()[0]
                        for name in ("journal_mode", "synchronous")
                    ]
                )
            except sqlite3.ProgrammingError:
                continue  # closed
        self.assertGreaterEqual(len(found), 2)
        self.assertEqual(found, [["wal", 2]] * len(found))
