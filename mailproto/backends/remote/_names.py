"""Names of mailboxes: ours, whose levels are separated by ``/``, and the other server's."""

from __future__ import annotations

import re

from mailproto.model import DELIMITER, INBOX, canonical_mailbox_name

__all__ = ["NameMap"]

_IMPOSSIBLE = re.compile("[\x00-\x1f\x7f-\x9f%*\u2028\u2029]")


class NameMap:
    """Translates names: where the other server's delimiter is not ``/``, the two change places.

    :ivar delimiter: the other server's; ``""`` for a flat list.
    """

    def __init__(self) -> None:
        self.delimiter = DELIMITER
        self._spelled: dict[str, str] = {}  # what the server spells in another way than we would

    def ours(self, name: str) -> str | None:
        """Our name of the server's mailbox; None if clients of ours could not name it."""
        made = canonical_mailbox_name(self._swapped(name))
        if _IMPOSSIBLE.search(made) or not all(made.split(DELIMITER)):
            return None
        if self._swapped(made) != name:
            self._spelled[made] = name
        return made

    def begin_list(self) -> None:
        """The whole list comes now: what it does not have is forgotten."""
        self._spelled.clear()

    def prefix(self, text: str) -> str:
        """Our form of what the server's names begin with, such as ``user.``."""
        return "" if _IMPOSSIBLE.search(text) else self._swapped(text)

    def theirs(self, name: str) -> str:
        """The server's name of our mailbox."""
        name = canonical_mailbox_name(name)
        return self._spelled.get(name) or (name if name == INBOX else self._swapped(name))

    def _swapped(self, name: str) -> str:
        delimiter = self.delimiter
        if delimiter in ("", DELIMITER):
            return name
        return name.translate({ord(delimiter): DELIMITER, ord(DELIMITER): delimiter})
