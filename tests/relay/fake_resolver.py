"""A resolver in memory, for tests of what asks it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from mailproto.relay._dns import Answer, DNSFailure, Kind, MXRecord

__all__ = ["FakeResolver"]


class FakeResolver:
    """Knows what the test has told it; of all other names, that they do not exist.

    :ivar asked: what was asked for, as "NAME KIND".
    """

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], Answer] = {}
        self._broken: set[tuple[str, str]] = set()
        self.asked: list[str] = []

    def say(
        self, name: str, *, secure: bool = False, alias: str = "", ttl: int = 300, **records: Sequence[Any]
    ) -> None:
        """Give a name records: ``MX=["10 a.example"]``, ``A=["192.0.2.1"]``.

        :param alias: the name that it is an alias of.
        """
        for kind in ("A", "AAAA", "MX", "TXT", "TLSA"):
            if kind in records:
                found = tuple(map(_mx, records[kind]) if kind == "MX" else records[kind])
                self._answers[name, kind] = Answer(found, alias or name, True, secure, ttl)
            else:
                self._answers.setdefault((name, kind), Answer((), alias or name, True, secure, ttl))

    def break_down(self, name: str, kind: str) -> None:
        """From now on there is no answer to this question."""
        self._broken.add((name, kind))

    def look_up(self, name: str, kind: Kind) -> Deferred[Answer]:
        """As `Lookup`."""
        self.asked.append(f"{name} {kind}")
        if (name, kind) in self._broken:
            return fail(DNSFailure(detail=f"{name} {kind}: SERVFAIL"))
        return succeed(self._answers.get((name, kind), Answer((), name, exists=False, ttl=60)))


def _mx(text: str) -> MXRecord:
    preference, host = text.split()
    return MXRecord(int(preference), host.removesuffix("."))
