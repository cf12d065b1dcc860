"""Quotas, as both of our stores enforce them."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailproto.backends._names import MAX_MAILBOXES
from mailproto.errors import OverQuota
from mailproto.model import NO_LIMIT, Quota, QuotaLimits, QuotaUse

__all__ = ["ROOT", "Limits", "Usage", "full", "quota"]

ROOT = ""
"""The name of the quota root of an account."""


def full(account: str = "") -> OverQuota:
    """The error for what has no room."""
    return OverQuota("Mailbox full: over quota", account=account)


def quota(octets: tuple[int, int], messages: tuple[int, int], mailboxes: int) -> Quota:
    """An account's quota.

    :param octets: used, and the limit or `NO_LIMIT`.
    :param messages: likewise.
    :param mailboxes: their number.
    """
    return Quota(ROOT, _use(*octets), _use(*messages), QuotaUse(mailboxes, MAX_MAILBOXES))


def _use(used: int, limit: int) -> QuotaUse:
    return QuotaUse(used, None if limit >= NO_LIMIT else limit)


@dataclass(slots=True)
class Limits:
    """Limits that can be changed."""

    limits: QuotaLimits = field(default_factory=QuotaLimits)


@dataclass(slots=True)
class Usage:
    """What an account in memory stores, and what it may.

    :ivar default: the limits of those that have none of their own.
    """

    default: Limits = field(default_factory=Limits)
    own: QuotaLimits = field(default_factory=QuotaLimits)
    octets: int = 0
    messages: int = 0

    def add(self, octets: int, messages: int) -> None:
        """Count what was added; less than 0 if it was removed."""
        self.octets += octets
        self.messages += messages

    def check(self, octets: int, messages: int) -> None:
        """Check whether there is room.

        :raises OverQuota: there is none.
        """
        if not self.has_room(octets, messages):
            raise full()

    def has_room(self, octets: int, messages: int) -> bool:
        """Whether so much more may be added."""
        return messages <= 0 or (
            self.octets + octets <= self._storage and self.messages + messages <= self._messages
        )

    def check_growth(self, octets: int) -> None:
        """Check whether a message may become larger by ``octets``, which may be less than 0.

        :raises OverQuota: it may not.
        """
        if octets > 0 and (self.octets + octets > self._storage or self.messages > self._messages):
            raise full()

    def quota(self, mailboxes: int) -> Quota:
        """See `IQuota.quota`."""
        return quota((self.octets, self._storage), (self.messages, self._messages), mailboxes)

    @property
    def _storage(self) -> int:
        return _effective(self.own.storage, self.default.limits.storage)

    @property
    def _messages(self) -> int:
        return _effective(self.own.messages, self.default.limits.messages)


def _effective(own: int | None, default: int | None) -> int:
    if own is not None:
        return own
    return NO_LIMIT if default is None else default
