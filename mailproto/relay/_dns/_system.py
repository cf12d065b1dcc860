"""What the system says: its servers of the DNS (resolv.conf(5)), and its own addresses (hosts(5))."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailproto._ip import ip_address
from mailproto.domains import canonical_domain

__all__ = ["Hosts", "Servers", "hosts_file", "resolv_conf"]

DNS_PORT: Final = 53

FILE_LIMIT: Final = 4 << 20
"""Octets that are read of each file; of a table of hosts these are some 150,000 lines."""

CHECK_EVERY: Final = 10
"""Seconds after which a file is looked at again: it may have changed."""

_SERVERS_LIMIT: Final = 3
"""As in the system's own resolver (MAXNS)."""

T = TypeVar("T")

_Seen = tuple[int, int]
_NOTHING: Final = (0, 0)

log = Logger()


@dataclass(frozen=True, slots=True)
class Servers:
    """Servers that are asked, the first one first.

    :ivar are_trusted: whether ``trust-ad`` says that all of them may be trusted to validate answers.
    """

    addresses: tuple[tuple[str, int], ...]
    are_trusted: bool = False


Hosts = dict[str, tuple[str, ...]]
"""Addresses by name, in A-labels and lower case."""


class _File(Generic[T]):
    """A file that is read again, in a thread, when it has changed; one that cannot be read is empty.

    :param reactor: Twisted's reactor: time and threads.
    """

    def __init__(self, reactor: Any, path: str, read: Callable[[str], T]) -> None:
        self._reactor = reactor
        self._path = path
        self._read = read
        self._seen, self._value = self._load(None) or (_NOTHING, read(""))
        self._next_check = reactor.seconds() + CHECK_EVERY

    def value(self) -> T:
        """What the file says, or said a moment ago."""
        if self._reactor.seconds() >= self._next_check:
            self._next_check = self._reactor.seconds() + CHECK_EVERY
            pool = self._reactor.getThreadPool()
            loading = deferToThreadPool(self._reactor, pool, self._load, self._seen)
            loading.addCallbacks(
                self._loaded, lambda failure: log.failure("{path}", failure, path=self._path)
            )
        return self._value

    def _load(self, seen: _Seen | None) -> tuple[_Seen, T] | None:
        """What the file says now; None if it looks as it did.  This blocks."""
        try:
            status = os.stat(self._path)
            now = (status.st_mtime_ns, status.st_size)
            if now == seen:
                return None
            with open(self._path, "rb") as file:
                text = file.read(FILE_LIMIT).decode("utf-8", "replace")
        except OSError:
            now, text = _NOTHING, ""
        return now, self._read(text)

    def _failed(self, failure: Failure) -> None:
        log.failure("{path} cannot be read again", failure, path=self._path)

    def _loaded(self, loaded: tuple[_Seen, T] | None) -> None:
        if loaded is not None:
            self._seen, self._value = loaded


def resolv_conf(reactor: Any, path: str) -> _File[Servers]:
    """The system's servers; without any, one on this machine, as for the system's own resolver."""
    return _File(reactor, path, _read_servers)


def hosts_file(reactor: Any, path: str) -> _File[Hosts]:
    """The system's table of hosts."""
    return _File(reactor, path, _read_hosts)


def _read_servers(text: str) -> Servers:
    addresses: list[tuple[str, int]] = []
    are_trusted = False
    for line in text.splitlines():
        words = line.split()
        if line[:1] in ("#", ";", "") or len(words) < 2:
            continue
        if words[0] == "nameserver" and ip_address(words[1].partition("%")[0]) is not None:
            addresses.append((words[1], DNS_PORT))
        elif words[0] == "options":
            are_trusted = are_trusted or "trust-ad" in words
    return Servers(tuple(addresses[:_SERVERS_LIMIT]) or (("127.0.0.1", DNS_PORT),), are_trusted)


def _read_hosts(text: str) -> Hosts:
    hosts: dict[str, dict[str, None]] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) < 2 or (address := ip_address(words[0])) is None:
            continue
        for name in words[1:]:
            hosts.setdefault(canonical_domain(name), {})[str(address)] = None
    return {name: tuple(addresses) for name, addresses in hosts.items()}
