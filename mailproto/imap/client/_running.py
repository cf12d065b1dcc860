"""The commands of a session that are sent and not answered."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from mailproto.imap.client._command import Command
from mailproto.imap.wire._answers import Data, Fetches, StatusResponse

__all__ = ["Running"]

_MOST: Final = 100
"""Commands that are sent before the first of them is answered."""


class Running:
    """The commands that are not answered, in the order in which they were sent."""

    __slots__ = ("_all", "_noticed")

    def __init__(self) -> None:
        self._all: dict[str, Command] = {}  # by tag
        self._noticed: dict[str, Command] = {}  # those of them that others must take notice of

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, tag: str) -> bool:
        return tag in self._all

    @property
    def listening(self) -> Collection[Command]:
        """Those that take data, among a few more."""
        return self._noticed.values()

    def may_begin(self, command: Command) -> bool:
        """Whether another one may be sent now (RFC 9051 5.5)."""
        if len(self._all) >= _MOST:
            return False
        # A thousand APPENDs need not look at each other.
        return all(map(command.may_join, (self._all if command.alone else self._noticed).values()))

    def add(self, command: Command) -> None:
        """A command is being sent."""
        self._all[command.tag] = command
        if command.collector is not None or command.names or command.alone:
            self._noticed[command.tag] = command

    def place(self, tag: str) -> int:
        """How many commands were sent before."""
        return 0 if tag == next(iter(self._all)) else list(self._all).index(tag)

    def remove(self, tag: str) -> tuple[Command, int] | None:
        """A command is answered.  :returns: it, and its place; None if there is none with this tag."""
        command = self._all.get(tag)
        if command is None:
            return None
        place = self.place(tag)
        del self._all[tag]
        self._noticed.pop(tag, None)
        return command, place

    def clear(self) -> list[Command]:
        """None is under way any more.  :returns: those that were."""
        commands = list(self._all.values())
        self._all.clear()
        self._noticed.clear()
        return commands

    def take(self, data: Data, uid: int | None) -> bool:
        """Offer a response to each, until one takes it; False if none does."""
        name = data.name
        for command in self._noticed.values():
            if name in command.names and command.collector is not None and command.collector.take(data, uid):
                return True
        return False

    def take_some(self, fetches: Fetches, start: int) -> int:
        """Offer responses from number ``start`` on to the first that may take them, many at a time.

        :returns: how many were taken; 0 if the next one must be offered alone.
        """
        for command in self._noticed.values():
            if "FETCH" in command.names and command.collector is not None:
                return command.collector.take_some(fetches, start)
        return 0

    def note(self, status: StatusResponse) -> None:
        """Tell each of an untagged OK, NO or BAD."""
        for command in self._noticed.values():
            if command.collector is not None:
                command.collector.note(status)
