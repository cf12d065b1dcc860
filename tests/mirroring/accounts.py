"""Two accounts whose mailboxes get other names, or go."""

from __future__ import annotations

from typing import Any

from mailproto.mirroring import MirrorReport, mirror_account
from tests.imap.server.dialogue import run
from tests.mirroring.sides import MirrorTestCase, contents

__all__ = ["NamesTestCase"]


class NamesTestCase(MirrorTestCase):
    """`account` is at the server, and the source; `other_account` is the target."""

    def mirror_all(self, **options: Any) -> MirrorReport:
        call = mirror_account(self.link.client, self.other_account, self.state, clock=self.clock, **options)
        found: MirrorReport = self.link.result(call)
        self.assertEqual(found.failures, [])
        return found

    def names(self, account: Any) -> list[str]:
        return [entry.name for entry in run(account.list()) if entry.selectable]

    def box(self, account: Any, name: str) -> Any:
        return run(account.open(name))

    def texts(self, account: Any, name: str) -> list[str]:
        return [octets.split(b"\r\n")[0][9:].decode() for octets, _ in contents(self.box(account, name))]

    def assert_equal(self) -> None:
        names = self.names(self.account)
        self.assertEqual(names, self.names(self.other_account))
        for name in names:
            ours, theirs = (contents(self.box(each, name)) for each in (self.account, self.other_account))
            self.assertEqual(ours, theirs, name)
