"""Reading ahead for a client that retrieves messages one after another."""

from __future__ import annotations

from mailproto.awaiting import settle
from mailproto.content import Octets, unwrapped
from mailproto.errors import MailError
from mailproto.model import Part
from mailproto.pop3.server._limits import READ_AHEAD_MESSAGES, READ_AHEAD_OCTETS
from mailproto.pop3.server._maildrop import Maildrop

__all__ = ["ReadAhead", "no_longer_there"]


class ReadAhead:
    """Reads contents by message number.

    A backend reads a batch in little more time than one message.  So after a client has retrieved
    two neighbouring messages, the messages that follow are read, too.
    """

    def __init__(self, maildrop: Maildrop) -> None:
        self._maildrop = maildrop
        self._held: dict[int, Octets] = {}
        self._last = 0

    def take(self, number: int) -> Octets | None:
        """Take out a content that was read ahead; None if it was not."""
        content = self._held.pop(number, None)
        if content is not None:
            self._last = number
        return content

    async def read(self, number: int) -> Octets:
        """Read a content, and maybe some that follow.

        :raises MailError: another session has removed the message.
        """
        drop = self._maildrop
        numbers = self._batch(number) if self._follows(number) else [number]
        self._last = number
        by_uid = {drop.uid(each): each for each in numbers}
        found = await settle(drop.mailbox.read(list(by_uid), Part.CONTENT))
        self._held = {by_uid[info.uid]: unwrapped(info.content) for info in found if info.content is not None}
        content = self._held.pop(number, None)
        if content is None:
            raise no_longer_there(number)
        return content

    def _follows(self, number: int) -> bool:
        """Whether ``number`` is the next after the last one, not counting deleted messages."""
        between = range(self._last + 1, number)
        return (
            0 < self._last < number
            and len(between) <= READ_AHEAD_MESSAGES
            and all(map(self._maildrop.is_marked, between))
        )

    def _batch(self, number: int) -> list[int]:
        drop, octets = self._maildrop, 0
        numbers: list[int] = []
        for each in range(number, min(number + READ_AHEAD_MESSAGES, len(drop) + 1)):
            if drop.is_marked(each):
                continue
            octets += drop.size(each)
            if numbers and octets > READ_AHEAD_OCTETS:
                break
            numbers.append(each)
        return numbers


def no_longer_there(number: int) -> MailError:
    """The error for a message that another session has removed."""
    return MailError(f"Message {number} is no longer there")
