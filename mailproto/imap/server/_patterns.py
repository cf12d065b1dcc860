"""Matching mailbox names with the patterns of LIST (RFC 9051 6.3.9).

``*`` matches anything, ``%`` matches anything without the delimiter.  INBOX is compared without case, also at
the beginning of a pattern for its inferiors.  Other names are compared with case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TypeAlias

from mailproto.model import DELIMITER, INBOX

__all__ = ["Patterns"]

_Test: TypeAlias = Callable[[str], bool]


class Patterns:
    """Some patterns, which are all tried together.

    :param texts: each with the reference before it.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = list(texts)
        self._test = _test(self._texts)

    def matches(self, name: str) -> bool:
        """Whether one of the patterns matches the whole ``name``."""
        if self._test(name):
            return True
        if name == INBOX:
            return self._test_inbox(name)
        return name.startswith(INBOX + DELIMITER) and self._test_inferior(name)

    @cached_property
    def _test_inbox(self) -> _Test:
        return _test(text.upper() for text in self._texts)

    @cached_property
    def _test_inferior(self) -> _Test:
        length = len(INBOX)
        return _test(INBOX + text[length:] for text in self._texts if text[:length].upper() == INBOX)


def _test(texts: Iterable[str]) -> _Test:
    """A test whether a name matches one of the patterns; the usual ones need no automaton."""
    names: set[str] = set()
    beginnings: list[str] = []
    others: list[str] = []
    for text in texts:
        beginning = text.rstrip("*")
        if "*" in beginning or "%" in beginning:
            others.append(text)
        elif beginning == text:
            names.add(text)
        else:
            beginnings.append(beginning)
    tests: list[_Test] = []
    if names:
        tests.append(names.__contains__)
    if beginnings:
        any_of_them = tuple(beginnings)
        tests.append(lambda name: name.startswith(any_of_them))
    if others:
        tests.append(_has_one_level if others == ["%"] else _Automaton(others).accepts)
    if len(tests) == 1:
        return tests[0]
    return lambda name: any(test(name) for test in tests)


def _has_one_level(name: str) -> bool:
    return DELIMITER not in name


class _Automaton:
    """Follows all ways to match all patterns at once, as the bits of an integer.

    Each pattern has a bit for its beginning, and one more for each of its literals: that the pattern has
    matched up to there.  So a name takes one step for each of its characters, however many patterns and
    wildcards there are.
    """

    __slots__ = ("_accepted", "_any", "_begin", "_level", "_literals")

    def __init__(self, texts: Iterable[str]) -> None:
        places: dict[str, list[int]] = {}
        begin: list[int] = []
        anything: list[int] = []
        level: list[int] = []
        accepted: list[int] = []
        at = 0
        for text in texts:
            begin.append(at)
            for character in text:
                if character == "*":
                    anything.append(at)
                elif character == "%":
                    level.append(at)
                else:
                    places.setdefault(character, []).append(at)
                    at += 1
            accepted.append(at)
            at += 1
        self._begin, self._accepted = _bits(begin), _bits(accepted)
        self._any = _bits(anything)
        self._level = self._any | _bits(level)
        self._literals = {character: _bits(which) for character, which in places.items()}

    def accepts(self, name: str) -> bool:
        """Whether one of the patterns matches the whole ``name``."""
        literals, anything, level = self._literals, self._any, self._level
        states = self._begin
        for character in name:
            stay = anything if character == DELIMITER else level
            states = (states & literals.get(character, 0)) << 1 | states & stay
            if not states:
                return False
        return bool(states & self._accepted)


def _bits(places: list[int]) -> int:
    """An integer with ones at some places."""
    octets = bytearray(max(places, default=0) // 8 + 1)
    for place in places:
        octets[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(octets, "little")
