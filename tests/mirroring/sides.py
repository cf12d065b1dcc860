"""A mailbox on our server and a client for it, a mailbox of a store, and what is in both."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from mailproto.auth import Password
from mailproto.backends import MemoryStore
from mailproto.imap import IMAPClient
from mailproto.mirroring import MirrorReport, RemoteMailbox, mirror
from mailproto.model import FlagChange, FlagOperation, NewMessage, Part
from mailproto.testing import connected
from tests.imap.server.dialogue import DialogueTestCase, run

__all__ = ["MEMORY", "Contents", "MirrorTestCase", "contents"]

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""A folder in memory for states, where that is possible: a disk takes longer than all the rest."""

Contents = list[tuple[bytes, tuple[str, ...]]]
"""Messages and their flags, sorted."""


def contents(mailbox: Any) -> Contents:
    """What is in a mailbox."""
    flags = {each.uid: tuple(sorted(each.flags)) for each in run(mailbox.changes_since(0)).changed}
    return sorted(
        (bytes(info.content), flags[info.uid]) for info in run(mailbox.read(sorted(flags), Part.CONTENT))
    )


class MirrorTestCase(DialogueTestCase):
    """Mirrors alice's INBOX on the server, which is `inbox`, and a local mailbox.

    :ivar link: the client's connection.
    :ivar local: the local mailbox.
    :cvar without: capabilities that the client does not see.
    """

    without: tuple[str, ...] = ()

    def setUp(self) -> None:
        super().setUp()
        folder = Path(tempfile.mkdtemp(prefix="mailproto-mirror-", dir=MEMORY))
        self.addCleanup(shutil.rmtree, folder)
        self.state = folder / "state"
        self.link = self.sign_in()
        self.other_store = MemoryStore()
        run(self.other_store.directory.add("bob", ""))
        self.other_account: Any = run(self.other_store.account("bob"))
        self.local: Any = run(self.other_account.open("INBOX"))

    def sign_in(self) -> Any:
        client = IMAPClient(self.clock)
        link = connected(self.factory, client, clock=self.clock)
        self.addCleanup(link.pump)
        self.addCleanup(client.abort)
        link.result(client.authenticate(Password("alice", "secret")))
        if self.without:
            link.result(client.capability())
            client._session.capabilities = client.capabilities - set(self.without)
        return link

    @property
    def remote(self) -> RemoteMailbox:
        return RemoteMailbox(self.link.client, "INBOX")

    def mirror(self, **options: Any) -> MirrorReport:
        source, target = options.pop("between", (self.remote, self.local))
        call = mirror(source, target, self.state, clock=self.clock, **options)
        found: MirrorReport = self.link.result(call)
        return found

    def put(self, mailbox: Any, text: str, *flags: str) -> int:
        """Add a message to a mailbox; its UID."""
        message = NewMessage(f"Subject: {text}\r\n\r\n{text}\r\n".encode(), frozenset(flags), 1_000_000_000)
        uid: int = run(mailbox.append([message]))[0].uid
        return uid

    def flag(self, mailbox: Any, uid: int, *flags: str, remove: bool = False) -> None:
        operation = FlagOperation.REMOVE if remove else FlagOperation.ADD
        run(mailbox.store([uid], FlagChange(operation, frozenset(flags))))

    def delete(self, mailbox: Any, *uids: int) -> None:
        for uid in uids:
            self.flag(mailbox, uid, "\\Deleted")
        run(mailbox.expunge(list(uids)))

    def seen_there(self) -> tuple[Contents, Contents]:
        return contents(self.inbox), contents(self.local)
