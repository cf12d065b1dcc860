"""The values of quotas (RFC 9208)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mailproto._arguments import check_type, check_whole, wrong_value

__all__ = ["NO_LIMIT", "Quota", "QuotaLimits", "QuotaUse"]

NO_LIMIT: Final = (1 << 63) - 1
"""The limit of an account that has none, although others have one by default; RFC 9208's greatest number."""


@dataclass(frozen=True, slots=True)
class QuotaLimits:
    """The limits of an account, or those of all accounts that have none of their own.

    :ivar storage: the octets of all messages; None for the default, `NO_LIMIT` for no limit.
    :ivar messages: the number of messages, likewise.
    :raises TypeError, ValueError: a limit is no such number.
    """

    storage: int | None = None
    messages: int | None = None

    def __post_init__(self) -> None:
        for name in ("storage", "messages"):
            if (limit := getattr(self, name)) is not None:
                check_whole(name, limit)
                if limit > NO_LIMIT:
                    raise wrong_value(name, limit, "at most NO_LIMIT")


class QuotaUse(NamedTuple):
    """How much of a resource is used.

    :ivar limit: None if there is none.
    """

    used: int
    limit: int | None = None

    @property
    def is_used_up(self) -> bool:
        """Whether nothing more can be added."""
        return self.limit is not None and self.used >= self.limit


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota root with its resources (RFC 9208 5).

    :ivar root: its name.
    :ivar storage: octets of all messages; IMAP counts in units of 1024 of them.
    :ivar messages: the number of messages.
    :ivar mailboxes: the number of mailboxes.
    """

    root: str = ""
    storage: QuotaUse = field(default=QuotaUse(0))
    messages: QuotaUse = field(default=QuotaUse(0))
    mailboxes: QuotaUse = field(default=QuotaUse(0))

    def __post_init__(self) -> None:
        check_type("root", self.root, str, "a str")
        for name in ("storage", "messages", "mailboxes"):
            check_type(name, getattr(self, name), QuotaUse, "a QuotaUse")

    @property
    def takes_mail(self) -> bool:
        """Whether any further message has room."""
        return not (self.storage.is_used_up or self.messages.is_used_up)
