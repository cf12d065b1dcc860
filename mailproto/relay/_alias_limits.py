"""How far aliases may go."""

from __future__ import annotations

from dataclasses import dataclass, fields

from mailproto._arguments import check_whole

__all__ = ["AliasLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasLimits:
    """The limits of aliases.

    :ivar depth: how often aliases may lead to other aliases; more get 554 5.4.6.
    :ivar addresses: to how many addresses one recipient may lead; more get 554 5.5.3.
    :ivar per_message: to how many addresses all recipients of a message may lead; more get 554 5.5.3.
    :ivar file: octets of a file.
    :ivar entries: of a file.
    :ivar entry: octets of an entry with all its lines.
    :raises TypeError: a limit is no int.
    :raises ValueError: a limit is less than 1.
    """

    depth: int = 10
    addresses: int = 1_000
    per_message: int = 10_000
    file: int = 16 << 20
    entries: int = 200_000
    entry: int = 1 << 16

    def __post_init__(self) -> None:
        for each in fields(self):
            check_whole(each.name, getattr(self, each.name), 1)
