"""Messages of the other server, as the values of our contracts."""

from __future__ import annotations

import re
from array import array
from collections.abc import AsyncIterable, Sequence
from datetime import datetime

from mailproto.awaiting import turn
from mailproto.backends._uid_runs import UidRuns
from mailproto.backends.remote._checked import (
    FlagKeeper,
    check_count,
    is_envelope,
    is_structure,
    modseq_of,
    object_id,
    octets_in,
    usual_forms,
)
from mailproto.imap import IMAPClient
from mailproto.imap.client._fetched import internal_date
from mailproto.imap.values import FetchedMessage, UidSet
from mailproto.message import Working, summarise_steps
from mailproto.model import FlagColumns, MessageInfo, Metadata, Part

__all__ = ["columns_of", "items_for", "metadata_of", "missing_among", "read_infos"]

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

IN_FILES = 64 << 20
"""Octets in files after which `read_infos` reads no more messages."""


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
    """Read messages in batches: until ``octets`` are in memory, or `IN_FILES` in files; or all (None)."""
    found: list[MessageInfo] = []
    has_contents = "BODY.PEEK[]" in items
    at, size = 0, FIRST if has_contents and octets is not None else MOST
    held = in_files = 0
    while at < len(uids) and (octets is None or (held < octets and in_files < IN_FILES)):
        some = uids[at : at + size]
        at += len(some)
        got: dict[int, MessageInfo] = {}
        broken: list[int] = []
        last = 0
        async for message in client.fetch(UidSet(some), *items):
            if not 0 < message.uid < 1 << 32:
                continue
            info = got[message.uid] = await _info(message, parts)
            if _is_broken(info, parts):
                broken.append(message.uid)
            in_files += _in_file(info)
            last = message.uid if last < message.uid else 1 << 32
            if octets is not None and in_files >= IN_FILES and last < 1 << 32:
                break  # whoever wants more asks for those after it, because all have come in their order
        await turn()
        # What the server says of a message may be nothing that our clients could read.
        if broken:
            async for message in client.fetch(UidSet(broken), *dict.fromkeys([*items, "BODY.PEEK[]"])):
                got[message.uid] = await _info(message, parts, by_ourselves=True)
        found += [got[uid] for uid in sorted(got)]
        held += sum(map(_in_memory, got.values()))
        size = min(MOST, size * 2) if in_files == 0 else FIRST
    return found


def _is_broken(info: MessageInfo, parts: Part) -> bool:
    return (Part.ENVELOPE in parts and info.envelope is None) or (
        Part.BODY_STRUCTURE in parts and info.body_structure is None
    )


def _forms(message: FetchedMessage, parts: Part) -> tuple[bytes | None, bytes | None]:
    """The ENVELOPE and the BODYSTRUCTURE as the server has written them; None for what cannot be one."""
    if not parts & (Part.ENVELOPE | Part.BODY_STRUCTURE):
        return None, None
    envelope, structure = usual_forms(message._data.text)
    if Part.ENVELOPE in parts and envelope is None:
        said = message.raw("ENVELOPE") or b""
        envelope = said if is_envelope(said) else None
    if Part.BODY_STRUCTURE in parts and structure is None:
        said = message.raw("BODYSTRUCTURE") or b""
        structure = said if is_structure(said) else None
    return envelope, structure


async def _info(message: FetchedMessage, parts: Part, *, by_ourselves: bool = False) -> MessageInfo:
    """What is known of a message.

    :param by_ourselves: read the message, instead of believing what the server says of it.
    """
    content = message.content
    envelope, structure = _forms(message, parts)
    offsets = None
    if (Part.OFFSETS in parts or by_ourselves) and content is not None:
        # Our own reading of the message tells where its parts are; what it says of them has to fit.
        work = Working(summarise_steps(content))
        for _ in work:
            await turn()
        summary = work.result
        structure = summary.body_structure if Part.BODY_STRUCTURE in parts else None
        envelope = summary.envelope if by_ourselves and Part.ENVELOPE in parts else envelope
        offsets = summary.index if Part.OFFSETS in parts else None
    date, zone = _when(message) if Part.INTERNAL_DATE in parts else (None, None)
    return MessageInfo(
        message.uid,
        date,
        octets_in(message.size) if Part.SIZE in parts else None,
        envelope,
        structure,
        offsets,
        content if Part.CONTENT in parts else None,
        object_id(message.email_id),
        object_id(message.thread_id),
        _seconds(message.save_date),
        zone,
    )


def _in_file(info: MessageInfo) -> int:
    size = 0 if info.content is None else len(info.content)
    return size if size > IN_MEMORY else 0


def _in_memory(info: MessageInfo) -> int:
    octets = sum(len(each or b"") for each in (info.envelope, info.body_structure, info.offsets))
    size = 0 if info.content is None else len(info.content)
    return octets + (size if size <= IN_MEMORY else 0)


def _seconds(date: datetime | None) -> int | None:
    """A time as seconds since the epoch."""
    return None if date is None else int(date.timestamp())


_FAR_ZONE = re.compile(rb'"(.{20}) ([+-])([0-9]{2})([0-9]{2})"')


def _when(message: FetchedMessage) -> tuple[int, int]:
    """The internal date in seconds since the epoch, and its zone in minutes; zeros if there is none."""
    date = message.internal_date
    if date is not None:
        offset = date.utcoffset()
        return int(date.timestamp()), 0 if offset is None else int(offset.total_seconds()) // 60
    # Python knows no zone of a day or more, but IMAP can write some.
    match = _FAR_ZONE.fullmatch(message.raw("INTERNALDATE") or b"")
    local = None if match is None else internal_date(match[1].decode("ascii", "replace"))
    if match is None or local is None:
        return 0, 0
    zone = (int(match[3]) * 60 + int(match[4])) * (-1 if match[2] == b"-" else 1)
    return int(local.timestamp()) - 60 * zone, zone


async def metadata_of(client: IMAPClient, uids: Sequence[int]) -> Metadata:
    """The sizes and dates of messages, without an object for each."""
    rows: dict[int, tuple[int, int, int]] = {}
    async for message in client.fetch(UidSet(uids), "RFC822.SIZE", "INTERNALDATE"):
        if 0 < message.uid < 1 << 32:
            rows[message.uid] = octets_in(message.size), *_when(message)
            check_count(len(rows))
    order = sorted(rows)
    sizes, dates, zones = (
        array(kind, (rows[uid][column] for uid in order)) for column, kind in enumerate("Qqh")
    )
    return Metadata(array("I", order), sizes, dates, zones if any(zones) else ())


def missing_among(uids: Sequence[int], up_to: int = 0) -> UidRuns:
    """The UIDs that are not among ``uids``, up to the last one, or to a later one.

    :raises Unavailable: they are too many.
    """
    runs, last = UidRuns(), 0
    for uid in uids:
        runs.add(last + 1, uid - 1)
        last = uid
    runs.add(last + 1, up_to)
    check_count(len(runs))
    return runs


async def columns_of(messages: AsyncIterable[FetchedMessage], *, modseq: int = 1) -> FlagColumns:
    """The flags and modseqs that messages have; the last word on each of them counts.

    :param modseq: of those of which the server tells none.
    """
    kept = FlagKeeper().kept
    uids, modseqs = array("I"), array("Q")
    flags: list[frozenset[str]] = []
    is_sorted = True
    async for message in messages:
        if not 0 < message.uid < 1 << 32:
            continue
        is_sorted = is_sorted and (not uids or uids[-1] < message.uid)
        uids.append(message.uid)
        flags.append(kept(message.flags))
        told = message.modseq
        modseqs.append(modseq if told is None else modseq_of(told))
        if len(uids) & 0xFFF == 0:
            check_count(len(uids))
    if is_sorted:
        return FlagColumns(uids, flags, modseqs)
    rows = {uid: (each, number) for uid, each, number in zip(uids, flags, modseqs, strict=True)}
    order = sorted(rows)
    return FlagColumns(
        array("I", order), [rows[uid][0] for uid in order], array("Q", (rows[uid][1] for uid in order))
    )
