"""What the tests of signing in stand on: threads that are none, hashes that cost nothing, a directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from mailproto.accounts import account_key
from mailproto.content import Octets
from mailproto.errors import AccountExists, NoSuchAccount
from mailproto.interfaces import IAccount, IDirectory, IStore
from mailproto.model import AppendedMessage, Placement


def cheap_hash(password: str) -> str:
    """As `hash_password`, in microseconds."""
    return PasswordHasher.from_parameters(CHEAPEST).hash(password)


class Reactor(Clock):
    """A `Clock` that work in threads can come back to."""

    def callFromThread(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.callLater(0, function, *arguments)


class Pool:
    """A thread pool whose work is done when a test says so."""

    def __init__(self) -> None:
        self.started = self.stopped = 0
        self.queue: list[tuple[Callable[[bool, Any], Any], Callable[[], Any]]] = []

    def start(self) -> None:
        self.started += 1

    def stop(self) -> None:
        self.stopped += 1

    def callInThreadWithCallback(self, done: Callable[[bool, Any], Any], work: Callable[[], Any]) -> None:
        self.queue.append((done, work))

    def run(self) -> int:
        """Do all work; how many pieces there were."""
        queue, self.queue = self.queue, []
        for done, work in queue:
            done(True, work())
        return len(queue)


class InstantPool(Pool):
    """One whose work is done at once."""

    def callInThreadWithCallback(self, done: Callable[[bool, Any], Any], work: Callable[[], Any]) -> None:
        done(True, work())


@implementer(IDirectory)
class Directory:
    """Accounts in a dict."""

    def __init__(self, **passwords: str) -> None:
        self.hashes = {f"{name}@Example.org": cheap_hash(word) for name, word in passwords.items()}

    async def names(self) -> Sequence[str]:
        return sorted(self.hashes)

    async def find(self, name: str) -> str:
        for kept in self.hashes:
            if account_key(kept) == account_key(name):
                return kept
        raise NoSuchAccount

    async def password_hash(self, name: str) -> str:
        return self.hashes[await self.find(name)]

    async def add(self, name: str, password_hash: str) -> None:
        if name in self.hashes:
            raise AccountExists
        self.hashes[name] = password_hash

    async def set_password_hash(self, name: str, password_hash: str, *, replacing: str | None = None) -> None:
        kept = await self.find(name)
        if replacing in (None, self.hashes[kept]):
            self.hashes[kept] = password_hash

    async def delete(self, name: str) -> None:
        del self.hashes[await self.find(name)]


@implementer(IAccount)
class Account:
    """A name and nothing else."""

    def __init__(self, name: str) -> None:
        self.name = name


@implementer(IStore)
class Store:
    """Whoever is in the directory has an account."""

    add_ons: frozenset[InterfaceClass] = frozenset()

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    async def start(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Nothing to close."""

    async def account(self, name: str) -> Any:
        return Account(await self.directory.find(name))

    async def deliver(
        self, content: Octets, placements: Sequence[Placement], internal_date: int | None = None
    ) -> Sequence[AppendedMessage]:
        return [AppendedMessage(1, 1) for _ in placements]
