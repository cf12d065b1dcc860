"""Limits the keywords of mailboxes; for the writer's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from mailproto.backends._keywords import MailboxKeywords

__all__ = ["Keywords"]

_MAILBOXES = 32
"""Mailboxes whose keywords are remembered; each takes 2 MB at most."""


class Keywords:
    """The keywords of the mailboxes that got some in this process.

    They are read once, when a message of the mailbox gets a combination of keywords for the first time.
    What another process adds is not noticed, so two processes together may add twice as many.
    """

    def __init__(self) -> None:
        self._known: dict[int, MailboxKeywords] = {}

    def check(self, connection: sqlite3.Connection, mailbox: int, combinations: Iterable[str]) -> None:
        """Check whether messages of a mailbox may get these combinations of keywords.

        :raises TooManyKeywords: the mailbox has too many.
        """
        if not any(combinations):
            return
        known = self._known.pop(mailbox, None) or MailboxKeywords()
        self._known[mailbox] = known  # the latest at the end
        if len(self._known) > _MAILBOXES:
            del self._known[next(iter(self._known))]

        def read() -> list[str]:
            rows = connection.execute(
                "SELECT DISTINCT keywords FROM messages WHERE mailbox = ? AND keywords > ''", (mailbox,)
            )
            return [keywords for (keywords,) in rows]

        known.check(combinations, read)
