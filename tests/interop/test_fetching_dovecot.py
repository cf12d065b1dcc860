"""`fetch_new` and `watch` with the POP3 and IMAP servers of Dovecot."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import TestCase

from mailproto.auth import Password
from mailproto.awaiting import settle
from mailproto.backends import SimpleMailbox
from mailproto.client import MailboxURL
from mailproto.client.errors import AuthenticationRefused, TLSFailed
from mailproto.fetching import FetchResult, Maildir, Mbox, fetch_new, watch
from mailproto.imap import IMAPClient
from mailproto.model import Part
from tests.interop.daemons import PASSWORD, Daemon, dovecot, dovecot_pop3
from tests.interop.test_pop3_client import MESSAGES

reactor: Any = installed
ALICE = Password("alice", PASSWORD)


def fill(daemon: Daemon, messages: list[bytes]) -> Path:
    """Give alice messages, and nothing else."""
    maildir: Path = daemon.folder / "mail/alice/Maildir"
    shutil.rmtree(maildir, ignore_errors=True)
    for name in ("tmp", "cur", "new"):
        (maildir / name).mkdir(parents=True)
    for number, octets in enumerate(messages):
        (maildir / f"new/{1000 + number}.{number:04}.host").write_bytes(octets.replace(b"\r\n", b"\n"))
    for folder, _, files in os.walk(daemon.folder / "mail"):
        for name in (folder, *(Path(folder) / file for file in files)):
            shutil.chown(name, "mail", "mail")
    return maildir


class FetchTests(TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()

    async def fetch(self, url: str, target: Any, **settings: Any) -> FetchResult:
        return await fetch_new(reactor, url, ALICE, target, self.folder / "state", **settings)

    def url_of(self, daemon: Daemon) -> str:
        return f"pop3://alice@localhost:{daemon.port}"

    async def test_pop3(self) -> None:
        daemon = dovecot_pop3()
        fill(daemon, MESSAGES)
        target, url = Maildir(self.folder / "mail"), self.url_of(daemon)
        with_tls = {"trust_root": daemon.folder / "tls-cert.pem"}
        result = await self.fetch(url, target, **with_tls)
        self.assertEqual((result.kept, result.removed), (len(MESSAGES), 0))
        result = await self.fetch(url, target, delete=True, **with_tls)
        self.assertEqual((result.kept, result.removed), (0, len(MESSAGES)))
        self.assertEqual((await self.fetch(url, target, plain=True)).listed, 0)
        files = sorted(file.read_bytes() for file in (self.folder / "mail/new").iterdir())
        self.assertEqual(files, sorted(octets.replace(b"\r\n", b"\n") for octets in MESSAGES))

    async def test_a_certificate_that_nobody_trusts(self) -> None:
        daemon = dovecot_pop3()
        fetching = self.fetch(
            self.url_of(daemon), Mbox(self.folder / "box"), trust_root="/etc/ssl/certs/ca-certificates.crt"
        )
        await self.assertFailure(ensureDeferred(fetching), TLSFailed)

    async def test_a_wrong_password(self) -> None:
        wrong = Password("alice", "wrong")
        url, mailbox = self.url_of(dovecot_pop3()), SimpleMailbox()
        fetching = fetch_new(reactor, url, wrong, mailbox, self.folder / "state")
        await self.assertFailure(ensureDeferred(fetching), AuthenticationRefused)

    async def test_imap(self) -> None:
        daemon = dovecot()
        maildir = fill(daemon, MESSAGES)
        url = f"imap://alice@127.0.0.1:{(daemon.folder / 'imap_port').read_text()}"
        inbox = SimpleMailbox()
        self.assertEqual((await self.fetch(url, inbox)).kept, len(MESSAGES))
        for file in maildir.glob("dovecot.index*"):
            file.unlink()
        uids_file = maildir / "dovecot-uidlist"
        uids_file.write_text(
            re.sub(r"V(\d+)", lambda found: f"V{int(found[1]) + 7}", uids_file.read_text(), count=1)
        )
        again = await self.fetch(url, inbox, delete=True)
        self.assertEqual((again.new, again.kept, again.removed), (len(MESSAGES), 0, len(MESSAGES)))
        uids = (await settle(inbox.changes_since(0))).changed.uids
        infos = await settle(inbox.read(uids, Part.CONTENT))
        self.assertEqual(sorted(bytes(info.content or b"") for info in infos), sorted(MESSAGES))


class WatchTests(TestCase):
    timeout = 60

    async def test_messages_as_they_come(self) -> None:
        daemon = dovecot()
        fill(daemon, MESSAGES[:3])
        url = f"imap://alice@127.0.0.1:{(daemon.folder / 'imap_port').read_text()}"
        state = Path(self.mktemp()).absolute()
        server = await IMAPClient.open(reactor, _address(url))
        subjects = []
        async with watch(reactor, url, ALICE, state) as messages:
            asked = Deferred.fromCoroutine(messages.__anext__())
            while messages._events is None:  # it has to be there before the next message
                await _soon()
            await server.append("INBOX", b"Subject: first\r\n\r\n")
            subjects.append((await asked).content.message()["Subject"])
            messages._client.abort()  # type: ignore[union-attr]
            await server.append("INBOX", b"Subject: second\r\n\r\n")
            subjects.append((await messages.__anext__()).content.message()["Subject"])
        async with watch(reactor, url, ALICE, state) as messages:
            subjects.append((await messages.__anext__()).content.message()["Subject"])
        await server.quit()
        self.assertEqual(subjects, ["first", "second", "second"])


def _address(url: str) -> Any:
    return MailboxURL.parse(url).address(ALICE)


def _soon() -> Deferred[None]:
    waiting: Deferred[None] = Deferred()
    reactor.callLater(0.02, waiting.callback, None)
    return waiting
