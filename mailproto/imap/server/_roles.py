"""What extensions put into a session: takers of literals, and what tells the client of changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

__all__ = ["Feed", "Notices", "Sink"]


class Sink(Protocol):
    """Takes a literal that is streamed, such as a message of APPEND."""

    def write(self, data: bytes) -> None:
        """Take some octets, at least one; a failure is kept until the command is carried out."""

    def close(self) -> None:
        """Drop what was taken, unless it was passed on."""


class Notices(Protocol):
    """What tells a client of changes at any time (NOTIFY).

    :ivar is_idling: whether IDLE lasts, in which all messages may be told of.
    """

    is_idling: bool

    def hinted(self) -> None:
        """There may be changes in the selected mailbox."""

    def made(self, uids: Sequence[int]) -> None:
        """The client itself has put these messages into the selected mailbox; ascending."""

    def close(self) -> None:
        """Tell nothing more."""


class Feed(Protocol):
    """Tells a client of changes of its account, beside those of the selected mailbox: one of `Session.feeds`.

    It does that before the tagged OK of each command after which updates are told, and during IDLE.
    """

    @property
    def is_stale(self) -> bool:
        """Whether there may be something to tell."""

    def on_hint(self, listener: Callable[[], None] | None) -> None:
        """Call ``listener`` whenever that may have become true (IDLE); None to stop."""

    async def tell(self) -> None:
        """Tell the client (`Session.respond`)."""

    def close(self) -> None:
        """The session is over."""
