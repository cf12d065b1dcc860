"""Some of many messages, by their places: PARTIAL (RFC 9394)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from mailproto._arguments import wrong_type, wrong_value

__all__ = ["at_places", "places_text"]

T = TypeVar("T")

_LARGEST = (1 << 32) - 1


def places_text(places: object) -> str:
    """A range of places as IMAP writes it: ``1:100``, or ``-1:-100`` from the end.

    :raises TypeError, ValueError: ``places`` is no pair of such numbers.
    """
    takes = "two places such as (1, 100), or (-1, -100) from the end"
    if not isinstance(places, tuple) or len(places) != 2 or any(type(each) is not int for each in places):
        raise wrong_type("partial", places, takes)
    first, last = places
    if first * last <= 0 or max(abs(first), abs(last)) > _LARGEST:
        raise wrong_value("partial", places, takes)
    return f"{first}:{last}"


def at_places(found: Sequence[T], places: tuple[int, int]) -> Sequence[T]:
    """Those of ``found`` that are at these places."""
    first, last = sorted(places, key=abs)
    if first > 0:
        return found[first - 1 : last]
    size = len(found)
    return found[max(size + last, 0) : max(size + first + 1, 0)]
