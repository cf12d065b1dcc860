# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""Renews summaries that an older version made, when they are read, or by ``store check``.

Each row of bodies has the `RENDER_VERSION` of its summary.  A reader that finds older summaries makes new
ones in a thread, a few at a time, returns them, and lets the writer store them.  If they cannot be stored,
for example on a full disk, the next reader does it again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailproto.backends.sqlite._bodies import Bodies
from mailproto.backends.sqlite._contents import OCTETS
from mailproto.backends.sqlite._database import Database
from mailproto.backends.sqlite._room import adds_content
from mailproto.backends.sqlite._writer import Transaction
from mailproto.errors import MailError
from mailproto.message import RENDER_VERSION, Summary, summarise
from mailproto.model import MessageInfo, Part

__all__ = ["SUMMARY", "StaleBody", "has_stale", "next_stale", "render_anew", "summarised"]

SUMMARY = Part.ENVELOPE | Part.BODY_STRUCTURE | Part.OFFSETS

_MESSAGES, _OCTETS = 50, 1 << 20  # at a time; a larger message is done alone


def _field(parts: Part) -> Callable[[MessageInfo], bytes | None]:
    """A getter for one of the requested summary fields; they are always missing together."""
    if Part.ENVELOPE in parts:
        return attrgetter("envelope")
    return attrgetter("body_structure" if Part.BODY_STRUCTURE in parts else "offsets")


class StaleBody(NamedTuple):
    """A body with an older version's summary.

    :ivar uid: the UID of the requested message; 0 if none was requested.
    :ivar octets: None if they are in ``file``, or missing.
    """

    uid: int
    id: int
    file: str | None
    octets: bytes | None
    summary: Summary


def has_stale(found: Sequence[MessageInfo], parts: Part) -> bool:
    """Whether `_reading.read` left out summaries; it must be fast, because each read calls it."""
    return bool(parts & SUMMARY) and None in map(_field(parts), found)


async def summarised(
    database: Database, mailbox: int, found: Sequence[MessageInfo], parts: Part, most: int | None = None
) -> Sequence[MessageInfo]:
    """``found`` with new summaries for those that `_reading.read` left out because they are old.

    Messages that have been removed in the meantime are left out.  So are those after the one with which the
    new summaries have ``most`` octets.
    """
    field = _field(parts)
    stale = [info.uid for info in found if field(info) is None]
    made: dict[int, Summary] = {}
    last, octets = found[-1].uid, 0
    while stale:
        bodies = database.read(_stale_of, mailbox, stale)
        if not bodies:
            break
        summaries = await render_anew(database, bodies)
        made.update(zip((body.uid for body in bodies), summaries, strict=True))
        octets += sum(map(len, chain.from_iterable(summaries)))
        if most is not None and octets >= most:
            last = bodies[-1].uid
            break
        stale = stale[stale.index(bodies[-1].uid) + 1 :]
    return [
        _with_summary(info, made[info.uid], parts) if info.uid in made else info
        for info in found
        if info.uid <= last and (info.uid in made or field(info) is not None)
    ]


def next_stale(connection: sqlite3.Connection, after: int) -> list[StaleBody]:
    """Some bodies with old summaries and ids greater than ``after``, by id."""
    return _some(
        connection,
        f"SELECT 0, bodies.id, file, {OCTETS}, envelope, body_structure, offsets FROM bodies"
        " LEFT JOIN contents ON contents.body = bodies.id"
        " WHERE bodies.id > ? AND rendered < ? ORDER BY bodies.id",
        (after, RENDER_VERSION),
    )


async def render_anew(database: Database, bodies: Sequence[StaleBody]) -> list[Summary]:
    """Make new summaries, and let the writer store them.

    A body that cannot be read keeps its old summary.
    """
    made: list[Summary | None] = await database.underway(
        database.bodies.in_thread(lambda: [_summary(database.bodies, body) for body in bodies])
    )
    new = [(body.id, summary) for body, summary in zip(bodies, made, strict=True) if summary is not None]
    database.underway(_kept(database, new))
    return [summary or body.summary for body, summary in zip(bodies, made, strict=True)]


def _kept(database: Database, summaries: Sequence[tuple[int, Summary]]) -> Deferred[None]:
    def failed(failure: Failure) -> None:
        failure.trap(MailError, sqlite3.Error)

    return database.writer.submit(_keep_all, summaries).addErrback(failed)


@adds_content
def _keep_all(transaction: Transaction, pieces: Sequence[Sequence[tuple[int, Summary]]]) -> Sequence[None]:
    transaction.connection.executemany(
        "UPDATE bodies SET envelope = ?, body_structure = ?, offsets = ?, rendered = ?"
        " WHERE id = ? AND rendered < ?",
        [(*summary, RENDER_VERSION, body, RENDER_VERSION) for piece in pieces for body, summary in piece],
    )
    return [None] * len(pieces)


def _stale_of(connection: sqlite3.Connection, mailbox: int, uids: Sequence[int]) -> list[StaleBody]:
    return _some(
        connection,
        f"SELECT uid, bodies.id, file, {OCTETS}, envelope, body_structure, offsets"
        " FROM json_each(?) CROSS JOIN messages ON messages.mailbox = ? AND messages.uid = json_each.value"
        " CROSS JOIN bodies ON bodies.id = messages.body"
        " LEFT JOIN contents ON contents.body = bodies.id",
        (json.dumps(uids), mailbox),
    )


def _some(connection: sqlite3.Connection, query: str, asked: tuple[object, ...]) -> list[StaleBody]:
    """The first rows: at most `_MESSAGES`, with at most `_OCTETS` in total."""
    found: list[StaleBody] = []
    size = 0
    for uid, id_, file, octets, *summary in connection.execute(query + " LIMIT ?", (*asked, _MESSAGES)):
        size += _OCTETS if octets is None else len(octets)
        if found and size > _OCTETS:
            break
        found.append(StaleBody(uid, id_, file, octets, Summary(*summary)))
    return found


def _summary(bodies: Bodies, body: StaleBody) -> Summary | None:
    try:
        if body.file is not None:
            return summarise(bodies.whole(body.file))
    except OSError:
        return None
    return None if body.octets is None else summarise(body.octets)


def _with_summary(info: MessageInfo, summary: Summary, parts: Part) -> MessageInfo:
    return info._replace(
        envelope=summary.envelope if Part.ENVELOPE in parts else None,
        body_structure=summary.body_structure if Part.BODY_STRUCTURE in parts else None,
        offsets=summary.index if Part.OFFSETS in parts else None,
    )
