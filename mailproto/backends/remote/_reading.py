"""Messages of the other server, as the values of our contracts."""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterable, Sequence
from datetime import datetime

from mailproto.awaiting import turn
from mailproto.imap import IMAPClient
from mailproto.imap.values import FetchedMessage, UidSet
from mailproto.message import Working, summarise_steps
from mailproto.model import FlagColumns, MessageInfo, Metadata, Part

__all__ = ["columns_of", "flags_in", "items_for", "metadata_of", "read_infos", "seconds"]

_ITEMS = (
    (Part.INTERNAL_DATE, "INTERNALDATE"),
    (Part.SIZE, "RFC822.SIZE"),
    (Part.ENVELOPE, "ENVELOPE"),
    (Part.BODY_STRUCTURE, "BODYSTRUCTURE"),
)
IN_MEMORY = 1 << 16
"""Octets of a message that the client keeps in memory (`IMAPClientLimits.in_memory`); others are in files."""

FIRST, MOST = 8, 256
"""Messages of the first FETCH with contents, and of later ones, which are larger while messages are small."""


def items_for(parts: Part, *, ids: bool, dates: bool) -> list[str]:
    """What FETCH asks for, to know these parts; whole messages to know where their parts are.

    :param ids: whether the server has OBJECTID.
    :param dates: whether it has SAVEDATE.
    """
    items = [item for part, item in _ITEMS if part in parts]
    if parts & (Part.CONTENT | Part.OFFSETS):
        items.append("BODY.PEEK[]")
    if Part.IDS in parts and ids:
        items += ["EMAILID", "THREADID"]
    if Part.SAVE_DATE in parts and dates:
        items.append("SAVEDATE")
    return items or ["FLAGS"]


async def read_infos(
    client: IMAPClient, uids: Sequence[int], parts: Part, items: Sequence[str], octets: int | None
) -> list[MessageInfo]:
    """Read messages in batches, until there are ``octets`` in memory, or all (None)."""
    found: list[MessageInfo] = []
    has_contents = "BODY.PEEK[]" in items
    at, size, held = 0, FIRST if has_contents and octets is not None else MOST, 0
    while at < len(uids) and (octets is None or held < octets):
        some = uids[at : at + size]
        at += len(some)
        got: list[MessageInfo] = []
        async for message in client.fetch(UidSet(some), *items):
            got.append(await _info(message, parts))
            held += _in_memory(got[-1])
        found += sorted({info.uid: info for info in got}.values(), key=lambda info: info.uid)
        size = min(MOST, size * 2)
    return found


async def _info(message: FetchedMessage, parts: Part) -> MessageInfo:
    content = message.content if parts & (Part.CONTENT | Part.OFFSETS) else None
    envelope = message.raw("ENVELOPE") if Part.ENVELOPE in parts else None
    structure = message.raw("BODYSTRUCTURE") if Part.BODY_STRUCTURE in parts else None
    offsets = None
    if Part.OFFSETS in parts and content is not None:
        # Our own reading of the message tells where its parts are; what it says of them has to fit.
        work = Working(summarise_steps(content))
        for _ in work:
            await turn()
        summary = work.result
        structure = summary.body_structure if Part.BODY_STRUCTURE in parts else None
        offsets = summary.index
    date = message.internal_date if Part.INTERNAL_DATE in parts else None
    saved = message.save_date
    return MessageInfo(
        message.uid,
        seconds(date),
        message.size if Part.SIZE in parts else None,
        envelope,
        structure,
        offsets,
        content if Part.CONTENT in parts else None,
        message.email_id or None,
        message.thread_id or None,
        seconds(saved),
        _zone(date),
    )


def _in_memory(info: MessageInfo) -> int:
    octets = sum(len(each or b"") for each in (info.envelope, info.body_structure, info.offsets))
    size = 0 if info.content is None else len(info.content)
    return octets + (size if size <= IN_MEMORY else 0)


def seconds(date: datetime | None) -> int | None:
    """A time as seconds since the epoch."""
    return None if date is None else int(date.timestamp())


def _zone(date: datetime | None) -> int | None:
    offset = None if date is None else date.utcoffset()
    return None if offset is None else int(offset.total_seconds()) // 60


async def metadata_of(client: IMAPClient, uids: Sequence[int]) -> Metadata:
    """The sizes and dates of messages, without an object for each."""
    rows: dict[int, tuple[int, int, int]] = {}
    async for message in client.fetch(UidSet(uids), "RFC822.SIZE", "INTERNALDATE"):
        date = message.internal_date
        rows[message.uid] = message.size or 0, seconds(date) or 0, _zone(date) or 0
    order = sorted(rows)
    sizes, dates, zones = (array("q", (rows[uid][column] for uid in order)) for column in range(3))
    return Metadata(array("I", order), sizes, dates, zones if any(zones) else ())


def flags_in(message: FetchedMessage, kept: dict[frozenset[str], frozenset[str]]) -> frozenset[str]:
    """The flags without ``\\Recent``; equal sets are one object."""
    flags = message.flags - {"\\Recent"}
    return kept.setdefault(flags, flags)


async def columns_of(messages: AsyncIterable[FetchedMessage], *, modseq: int = 1) -> FlagColumns:
    """The flags and modseqs that messages have; the last word on each of them counts.

    :param modseq: of those of which the server tells none.
    """
    kept: dict[frozenset[str], frozenset[str]] = {}
    uids, modseqs = array("I"), array("Q")
    flags: list[frozenset[str]] = []
    is_sorted = True
    async for message in messages:
        is_sorted = is_sorted and (not uids or uids[-1] < message.uid)
        uids.append(message.uid)
        flags.append(flags_in(message, kept))
        modseqs.append(message.modseq or modseq)
    if is_sorted:
        return FlagColumns(uids, flags, modseqs)
    rows = {uid: (each, number) for uid, each, number in zip(uids, flags, modseqs, strict=True)}
    order = sorted(rows)
    return FlagColumns(
        array("I", order), [rows[uid][0] for uid in order], array("Q", (rows[uid][1] for uid in order))
    )
