"""Messages of a server, in memory, and what fetches them."""

from __future__ import annotations

import mailbox
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.content import Content
from mailproto.fetching import FetchProgress, FetchResult, Maildir, Mbox
from mailproto.fetching._fetch_new import Fetching
from mailproto.fetching._fetch_state import FetchState
from mailproto.fetching._sources import Got, Source
from mailproto.fetching._targets import MailboxTarget, Target
from mailproto.fetching._values import Listed
from tests.imap.server.dialogue import run


class Crash(BaseException):
    """The program ends here, and nothing after it is done."""


class Maildrop(Source):
    """A mailbox of a server, which is the same in all sessions."""

    def __init__(self, messages: dict[str, bytes]) -> None:
        self.messages = messages
        self.given: list[str] = []
        self.renumbers = False
        self.is_nameless = False
        self.fails: str | None = None

    async def listed(self) -> list[Listed]:
        self.ids = list(self.messages)
        named = ["" if self.is_nameless or id.startswith("nameless") else id for id in self.ids]
        return [
            Listed(n, name, len(self.messages[id]))
            for n, (id, name) in enumerate(zip(self.ids, named, strict=True), 1)
        ]

    async def get(self, messages: Any) -> list[Got | str | None]:
        got: list[Got | str | None] = []
        for message in messages:
            id = self.ids[message.handle - 1]
            self.given.append(id)
            got.append("no" if id == self.fails else Got(Content(self.messages[id])))
        return got

    async def remove(self, messages: Any) -> None:
        for message in messages:
            del self.messages[self.ids[message.handle - 1]]

    def is_renumbered(self, id: str, known: str) -> bool:
        return self.renumbers or super().is_renumbered(id, known)


class FetchCase(SynchronousTestCase):
    """Fetches from a `Maildrop`, again and again, with one state."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.source = Maildrop({})
        self.told: list[FetchProgress] = []

    def fetch(self, target: Target, *, delete: bool = False, dry_run: bool = False) -> FetchResult:
        state = FetchState(self.folder / "state", "pop3://bob@host", target.name)
        state.open()
        try:
            fetching = Fetching(Clock(), self.source, target, state, self.told.append)
            result: FetchResult = run(fetching.look() if dry_run else fetching.run(delete=delete))
            return result
        finally:
            state.close()

    def maildir(self) -> Maildir:
        return Maildir(self.folder / "Mail")

    def mbox(self) -> Mbox:
        return Mbox(self.folder / "mbox")

    def in_maildir(self) -> list[bytes]:
        files = [file for name in ("new", "cur") for file in (self.folder / "Mail" / name).iterdir()]
        return sorted(file.read_bytes() for file in files)

    def in_mbox(self) -> list[bytes]:
        box = mailbox.mbox(self.folder / "mbox", create=False)
        with_ends = [box.get_bytes(key) for key in box.keys()]  # noqa: SIM118
        box.close()
        return sorted(with_ends)


def mailbox_target(inbox: Any) -> MailboxTarget:
    """A target of a mailbox."""
    return MailboxTarget(inbox)
