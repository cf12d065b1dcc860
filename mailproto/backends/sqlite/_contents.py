# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""The octets of small bodies, in the tables ``contents`` and ``content_rests``.

A page of 4,096 octets makes commits short: each writes a dozen pages to the log, whatever changed in them.
But a row that takes more than half a page and less than a whole one leaves the rest of its page empty.  So
octets of such a length are divided: the first `HEAD` are in ``contents``, of which two fill a page, and the
rest is in ``content_rests``, where many share a page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mailproto.backends.sqlite._inserting import insert

__all__ = ["HEAD", "LENGTH", "OCTETS", "TABLES", "add", "remove"]

HEAD = 2024
"""Octets of a row of which two fill a page, whatever their ids."""

_WHOLE = 4061
"""The most octets that SQLite keeps in one page with the row; of longer ones, it keeps a part there that is
nearly always less than half a page."""

TABLES = """
-- What follows contents.octets, for those of a length that would waste pages (`_contents`).
CREATE TABLE content_rests (body INTEGER PRIMARY KEY, octets BLOB NOT NULL);
"""

_REST = "(SELECT {} FROM content_rests WHERE content_rests.body = contents.body)"

OCTETS = (
    f"CASE length(contents.octets) WHEN {HEAD}"
    f" THEN CAST(contents.octets || coalesce({_REST.format('octets')}, x'') AS BLOB)"
    " ELSE contents.octets END"
)
"""SQL for the octets of a row of ``contents``."""

LENGTH = (
    f"CASE length(contents.octets) WHEN {HEAD}"
    f" THEN {HEAD} + coalesce({_REST.format('length(octets)')}, 0)"
    " ELSE length(contents.octets) END"
)
"""SQL for how many they are; it reads none of them."""


def add(execute: Callable[..., object], contents: Iterable[tuple[int, bytes]]) -> None:
    """Insert the octets of new bodies, each with its id."""
    rows: list[tuple[int, bytes]] = []
    rests: list[tuple[int, bytes]] = []
    for body, octets in contents:
        if HEAD < len(octets) <= _WHOLE:
            rests.append((body, octets[HEAD:]))
            octets = octets[:HEAD]
        rows.append((body, octets))
    insert(execute, "INSERT INTO contents (body, octets)", rows)
    if rests:
        insert(execute, "INSERT INTO content_rests (body, octets)", rests)


def remove(execute: Callable[..., object], bodies: str) -> None:
    """Remove the octets of some bodies.

    :param bodies: a JSON array of their ids.
    """
    for table in ("contents", "content_rests"):
        execute(f"DELETE FROM {table} WHERE body IN (SELECT value FROM json_each(?))", (bodies,))
