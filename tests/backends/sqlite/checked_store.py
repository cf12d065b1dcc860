"""A store whose faults a test makes and checks for."""

from __future__ import annotations

import sqlite3
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailproto.backends import SQLiteStore
from mailproto.model import CheckResult

__all__ = ["ALICE", "CheckCase"]

ALICE = "alice@example.org"


class CheckCase(TestCase):
    """A test that begins anew with each statement: `begin` fills the store.

    :ivar lines: what was said of faults.
    """

    async def setUp(self) -> None:
        await self.begin()

    async def begin(self) -> None:
        """Make a store with an account, ``ALICE``."""
        self.lines: list[str] = []
        reactor: Any = installed
        self.store = SQLiteStore(self.mktemp(), reactor=reactor)
        await self.store.start()
        self.addCleanup(lambda store=self.store: Deferred.fromCoroutine(store.stop()))
        await self.store.directory.add(ALICE, "")

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Do something to the database behind the store's back."""
        connection = sqlite3.connect(self.store.path, isolation_level=None, timeout=10)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    async def check(self, *, repair: bool = False) -> CheckResult:
        """``store check``."""
        return await self.store.check(self.lines.append, repair=repair)
