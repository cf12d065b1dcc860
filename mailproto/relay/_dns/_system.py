"""What the system says: its servers of the DNS (resolv.conf(5)), and its own addresses (hosts(5))."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from mailproto._ip import ip_address
from mailproto.domains import canonical_domain
from mailproto.typing import ReactorTime

__all__ = ["Hosts", "Servers", "hosts_file", "resolv_conf"]

DNS_PORT: Final = 53

FILE_LIMIT: Final = 1 << 20
"""Octets that are read of each file."""

CHECK_EVERY: Final = 10
"""Seconds after which a file is looked at again: it may have changed."""

_SERVERS_LIMIT: Final = 3
"""As in the system's own resolver (MAXNS)."""

T = TypeVar("T")


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
    """A file that is read again when it has changed; one that cannot be read is empty."""

    def __init__(self, clock: ReactorTime, path: str, read: Callable[[str], T]) -> None:
        self._clock = clock
        self._path = path
        self._read = read
        self._seen: tuple[int, int] | None = None
        self._next_check = clock.seconds()
        self._value = read("")

    def value(self) -> T:
        """What the file says."""
        if self._clock.seconds() >= self._next_check:
            self._next_check = self._clock.seconds() + CHECK_EVERY
            self._check()
        return self._value

    def _check(self) -> None:
        try:
            status = os.stat(self._path)
            seen = (status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return
            with open(self._path, "rb") as file:
                text = file.read(FILE_LIMIT).decode("utf-8", "replace")
        except OSError:
            self._seen, text = None, ""
        else:
            self._seen = seen
        self._value = self._read(text)


def resolv_conf(clock: ReactorTime, path: str) -> _File[Servers]:
    """The system's servers; without any, one on this machine, as for the system's own resolver."""
    return _File(clock, path, _read_servers)


def hosts_file(clock: ReactorTime, path: str) -> _File[Hosts]:
    """The system's table of hosts."""
    return _File(clock, path, _read_hosts)


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
