"""Messages read a little ahead of a client that retrieves them one after another."""

from __future__ import annotations

from mailproto.content import Content
from mailproto.errors import MailError
from mailproto.model import Part
from mailproto.pop3.server._maildrop import Maildrop

__all__ = ["READ_AHEAD_MESSAGES", "READ_AHEAD_OCTETS", "Reader", "gone"]

READ_AHEAD_OCTETS = 1 << 18
"""Octets of messages that a session holds for a client that has not asked for them yet."""

READ_AHEAD_MESSAGES = 64
"""Messages that are read at once."""


class Reader:
    """Contents by number.

    A backend answers a batch for little more than one message, so who retrieves n and
    then the one behind it is taken to want those that follow.
    """

    def __init__(self, maildrop: Maildrop) -> None:
        self._maildrop = maildrop
        self._held: dict[int, Content] = {}
        self._last = 0

    def take(self, number: int) -> Content | None:
        """A content that was read ahead; it is held no longer."""
        content = self._held.pop(number, None)
        if content is not None:
            self._last = number
        return content

    async def read(self, number: int) -> Content:
        """A content, and maybe some that follow.

        :raises MailError: if another session has removed the message.
        """
        drop = self._maildrop
        numbers = self._batch(number) if self._follows(number) else [number]
        self._last = number
        by_uid = {drop.uid(each): each for each in numbers}
        found = await drop.mailbox.read(list(by_uid), Part.CONTENT)
        self._held = {by_uid[info.uid]: info.content for info in found if info.content is not None}
        content = self._held.pop(number, None)
        if content is None:
            raise gone(number)
        return content

    def _follows(self, number: int) -> bool:
        """Whether ``number`` is the next after the last one, but for deleted ones."""
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


def gone(number: int) -> MailError:
    """The answer for a message that another session has removed."""
    return MailError(f"Message {number} is no longer there")
