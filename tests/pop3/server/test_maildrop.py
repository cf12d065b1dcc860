"""How a maildrop is opened: what is asked of the mailbox, and what is found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from mailproto.interfaces import IAccount, IMailbox
from mailproto.model import Changes, Metadata
from mailproto.pop3.server import _maildrop
from tests.pop3.server.session import Account, Mailbox, SessionTestCase


class Watched(Mailbox):
    """Tells what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def changes_since(self, modseq: int) -> Changes:
        self.asked.append("changes")
        return await super().changes_since(modseq)

    async def metadata(self, uids: Any) -> Metadata:
        self.asked.append(f"sizes {uids[0]}:{uids[-1]}")
        found: Metadata = await super().metadata(uids)
        return found


@implementer(IMailbox)
class Bare:
    """A mailbox without `IMetadata`."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def __getattr__(self, name: str) -> Any:
        return getattr(self._mailbox, name)


@implementer(IAccount)
class BareAccount(Account):
    async def open(self, name: str) -> Any:
        return Bare(self.inbox)


class OpeningTests(SessionTestCase):
    inbox: Watched

    def setUp(self) -> None:
        super().setUp()
        self.inbox = self.account.inbox = Watched()

    def fill(self, number: int, kept: Sequence[int]) -> None:
        """Add so many messages, and remove all but these."""
        for each in range(1, number + 1):
            self.inbox.add(b"x" * each + b"\r\n")
        self.inbox.remove(set(range(1, number + 1)) - set(kept))
        self.inbox.asked.clear()

    def assert_listed(self, *uids: int) -> None:
        transport = self.sign_in()
        sizes = "".join(f"S: {number} {uid + 2}\n" for number, uid in enumerate(uids, 1))
        validity = self.inbox.uid_validity
        ids = "".join(f"S: {number} {validity}.{uid}\n" for number, uid in enumerate(uids, 1))
        self.play(f"C: LIST\nS: +OK...\n{sizes}S: .\nC: UIDL\nS: +OK...\n{ids}S: .", transport)

    def test_most_uids_in_use(self) -> None:
        """No flags are read then."""
        self.fill(8, kept=(2, 3, 4, 7))
        self.assert_listed(2, 3, 4, 7)
        self.assertEqual(self.inbox.asked, ["sizes 1:8"])

    def test_few_uids_in_use(self) -> None:
        self.fill(100, kept=(2, 50, 99))
        self.assert_listed(2, 50, 99)
        self.assertEqual(self.inbox.asked, ["changes", "sizes 2:99"])

    def test_none(self) -> None:
        self.assert_listed()
        self.fill(9, kept=())
        self.assert_listed()

    def test_in_pieces(self) -> None:
        self.patch(_maildrop, "_COLUMNS", 3)
        self.fill(8, kept=(2, 7, 8))
        self.assert_listed(2, 7, 8)
        self.assertEqual(self.inbox.asked, ["sizes 1:3", "sizes 4:6", "sizes 7:8"])

    def test_a_mailbox_that_has_no_columns(self) -> None:
        self.realm.account = BareAccount(self.inbox)
        self.fill(8, kept=(2, 3, 7))
        self.assert_listed(2, 3, 7)
        self.patch(_maildrop, "_BATCH", 2)
        self.assert_listed(2, 3, 7)
