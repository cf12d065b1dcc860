"""The keywords of one mailbox: how many different ones it may have, and in how many combinations.

A session that selects a mailbox keeps each combination of flags once, and tells all keywords in one line
(RFC 9051 7.3.5).  Without limits, 25 KB from a client would cost its sessions, and all that read the
mailbox later, as much again for each command.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import Final

from mailproto.backends._flags import TooManyKeywords

__all__ = ["MAX_COMBINED_KEYWORDS", "MAX_MAILBOX_KEYWORDS", "MailboxKeywords"]

MAX_MAILBOX_KEYWORDS: Final = 1000
"""The most different keywords of one mailbox."""

MAX_COMBINED_KEYWORDS: Final = 20_000
"""The most keywords in all different combinations of one mailbox: such as 5000 combinations of 4 keywords."""


_AGE: Final = 60.0
"""Seconds after which combinations that no message has any more are forgotten, if others are refused."""


class MailboxKeywords:
    """The combinations of keywords that the messages of a mailbox have, or have had.

    A combination is a text: keywords with spaces between, in an order that is always the same.
    """

    __slots__ = ("_combinations", "_keywords", "_number", "_read_at")

    def __init__(self) -> None:
        self._combinations: set[str] = set()
        self._keywords: set[str] = set()
        self._number = 0
        self._read_at = -math.inf

    def check(self, combinations: Iterable[str], read: Callable[[], Iterable[str]]) -> None:
        """Check whether messages of the mailbox may get these combinations, and count them from now on.

        :param read: the combinations of all messages; called the first time, and seldom afterwards.
        :raises TooManyKeywords: the mailbox has too many keywords.
        """
        for combination in combinations:
            if not combination or combination in self._combinations:
                continue
            if self._read_at == -math.inf:
                self._begin(read())
            if self._add(combination):
                continue
            if time.monotonic() - self._read_at >= _AGE:
                self._begin(read())
                if self._add(combination):
                    continue
            raise TooManyKeywords("Too many keywords in one mailbox")

    def _begin(self, combinations: Iterable[str]) -> None:
        self._combinations.clear()
        self._keywords.clear()
        self._number = 0
        self._read_at = time.monotonic()
        for combination in combinations:
            self._count(combination, combination.split())

    def _add(self, combination: str) -> bool:
        """Count a combination; False if there is no room for it."""
        keywords = combination.split()
        if (
            self._number + len(keywords) > MAX_COMBINED_KEYWORDS
            or len(self._keywords.union(keywords)) > MAX_MAILBOX_KEYWORDS
        ) and combination not in self._combinations:
            return False
        self._count(combination, keywords)
        return True

    def _count(self, combination: str, keywords: list[str]) -> None:
        if combination not in self._combinations:
            self._combinations.add(combination)
            self._keywords.update(keywords)
            self._number += len(keywords)
