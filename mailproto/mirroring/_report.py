"""What mirroring tells: its progress, and what it has done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["MirrorFailure", "MirrorProgress", "MirrorReport", "Progress"]


@dataclass(frozen=True, slots=True)
class MirrorFailure:
    """What could not be mirrored; the next run tries it again.

    :ivar mailbox: in which mailbox.
    :ivar uid: which message there; None for the whole mailbox.
    :ivar reason: why, in one line.
    """

    mailbox: str
    uid: int | None
    reason: str

    def __str__(self) -> str:
        message = "" if self.uid is None else f", UID {self.uid}"
        return f"{self.mailbox}{message}: {self.reason}"


@dataclass(slots=True)
class MirrorReport:
    """What one run has done (or, in a dry run, would do).

    :ivar mailboxes: how many were looked at.
    :ivar created: names of mailboxes that were made.
    :ivar renamed: old and new names of mailboxes that were renamed.
    :ivar deleted: names of mailboxes that were removed.
    :ivar left_out: names of mailboxes that were left alone: they are gone from one side, or show the messages
        of other mailboxes again (``\\All`` and the like).
    :ivar copied: messages copied to the target.
    :ivar copied_back: messages copied to the source.
    :ivar octets: of the messages copied, in both directions.
    :ivar matched: messages that were on both sides already.
    :ivar flagged: messages whose flags were changed, on either side.
    :ivar removed: messages removed, on either side.
    :ivar failures: what could not be done.
    """

    mailboxes: int = 0
    created: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    copied: int = 0
    copied_back: int = 0
    octets: int = 0
    matched: int = 0
    flagged: int = 0
    removed: int = 0
    failures: list[MirrorFailure] = field(default_factory=list)

    @property
    def changes(self) -> int:
        """How many changes there were in all."""
        mailboxes = len(self.created) + len(self.renamed) + len(self.deleted)
        return mailboxes + self.copied + self.copied_back + self.flagged + self.removed

    @property
    def done(self) -> int:
        """Grows with each step that was done."""
        return self.changes + self.matched + self.mailboxes


@dataclass(frozen=True, slots=True)
class MirrorProgress:
    """How far a run is.

    :ivar mailbox: the source's name of the mailbox at which it is.
    :ivar done: messages of this mailbox that were copied, in both directions.
    :ivar total: how many are to be copied.
    :ivar octets: copied in this mailbox.
    :ivar mailboxes_done: how many mailboxes were mirrored before it.
    :ivar mailboxes: how many there are.
    """

    mailbox: str
    done: int
    total: int
    octets: int
    mailboxes_done: int = 0
    mailboxes: int = 1


Progress: TypeAlias = Callable[[MirrorProgress], object]
