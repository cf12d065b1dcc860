"""Reading ahead for a client that retrieves messages one after another."""

from __future__ import annotations

from mailproto.awaiting import settle
from mailproto.content import CHUNK, Octets, unwrapped
from mailproto.errors import MailError
from mailproto.model import Part
from mailproto.pop3.server._limits import READ_AHEAD_MESSAGES, READ_AHEAD_OCTETS
from mailproto.pop3.server._maildrop import Maildrop
from mailproto.pop3.wire import DotStuffing

__all__ = ["ReadAhead", "header_of", "no_longer_there", "retrieved"]

_PREPARED_OCTETS = 1 << 16
"""The largest message whose reply is prepared: that takes 0.4 ms at most, and usually a tenth of it."""


class ReadAhead:
    """Reads contents by message number.

    A backend reads a batch in little more time than one message.  So after a client has retrieved
    two neighbouring messages, the messages that follow are read, too.  And while the client takes
    one of them, the reply with the next one is prepared (`ServerConnection.when_sent`).

    :param is_utf8: whether the client takes headers in UTF-8.
    :ivar is_in_order: whether the client retrieves one message after another.
    """

    def __init__(self, maildrop: Maildrop, *, is_utf8: bool) -> None:
        self._maildrop = maildrop
        self._is_utf8 = is_utf8
        self.is_in_order = False
        self._held: dict[int, Octets] = {}
        self._last = 0
        self._prepared = 0  # the number of the message that `_reply` has
        self._reply = b""

    def prepare(self) -> None:
        """Make the reply with the next message, if that is held."""
        number = self._last + 1
        content = self._held.get(number)
        if content is not None and len(content) <= _PREPARED_OCTETS:
            reply = self.reply(number, content)
            if reply is not None:
                del self._held[number]
                self._prepared, self._reply = number, reply

    def take_reply(self, number: int) -> bytes | None:
        """Take out a reply that was prepared."""
        if number != self._prepared:
            return None
        reply, self._reply = self._reply, b""
        self._prepared, self._last = 0, number
        return reply

    def reply(self, number: int, content: Octets) -> bytes | None:
        """All of RETR's reply; None if it is large, or if the client does not take the header as it is."""
        if (
            isinstance(content, bytes)
            and len(content) <= CHUNK
            and (content.isascii() or self._is_utf8 or header_of(content).isascii())
        ):
            return retrieved(self._maildrop.size(number), DotStuffing.whole(content))
        return None

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
        self.is_in_order = self._follows(number)
        numbers = self._batch(number) if self.is_in_order else [number]
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


def retrieved(octets: int, body: bytes | None = None) -> bytes:
    """RETR's first line, or all of its reply."""
    if body is None:
        return b"+OK %d octets\r\n" % octets
    return b"+OK %d octets\r\n%b.\r\n" % (octets, body)


def header_of(beginning: bytes) -> bytes:
    """The header, without the empty line after it."""
    end = beginning.find(b"\r\n\r\n") + 2
    return beginning[:end] if end > 1 else beginning


def no_longer_there(number: int) -> MailError:
    """The error for a message that another session has removed."""
    return MailError(f"Message {number} is no longer there")
