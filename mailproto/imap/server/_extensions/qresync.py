"""QRESYNC (RFC 7162 3.2): a client that has seen the mailbox before is told what has changed since."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mailproto.awaiting import settle
from mailproto.imap.server._errors import BadCommand, UIDRequired
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._extensions.condstore import CHANGED_SINCE, become_aware
from mailproto.imap.server._options import FetchModifier, SelectParameter
from mailproto.imap.server._ranges import common, runs, without
from mailproto.imap.server._requests import FetchRequest
from mailproto.imap.server._session import Session
from mailproto.imap.server._view_writer import ViewWriter
from mailproto.imap.wire import ArgumentReader, IMAPWireError, SequenceSet, no_value
from mailproto.model import MailboxStatus

__all__ = ["EXTENSION"]

_GREATEST_UID = (1 << 32) - 1

_AT_ONCE = 1000
"""Ranges, or messages, that are told before others have their turn."""


async def _enable(session: Session) -> None:
    await become_aware(session)
    session.manner.vanished = True


def _check_enabled(session: Session) -> None:
    if not session.manner.vanished:
        raise BadCommand("QRESYNC is not enabled")


# -- SELECT


@dataclass(frozen=True, slots=True)
class Known:
    """What the client knows of a mailbox.

    :ivar uids: of which messages it wants to know; None for all.
    :ivar numbers: sequence numbers of some messages, and their UIDs; see `_pairs`.
    """

    uid_validity: int
    modseq: int
    uids: SequenceSet | None = None
    numbers: tuple[SequenceSet, SequenceSet] | None = None


def _read_known(arguments: ArgumentReader) -> Known:
    """``SP "(" uidvalidity SP modseq [SP known-uids] [SP "(" numbers SP uids ")"] ")"``.

    Clients that know nothing yet say modseq 0, although it should be 1.
    """
    arguments.open()
    uid_validity, since = arguments.number(), arguments.number()
    uids: SequenceSet | None = None
    numbers: tuple[SequenceSet, SequenceSet] | None = None
    if arguments.follows(b" ") and not arguments.follows(b" ("):
        uids = _plain_set(arguments)
    if arguments.follows(b" ("):
        arguments.open()
        numbers = _plain_set(arguments), _plain_set(arguments)
        if not arguments.closes():
            raise IMAPWireError("Expected a closing parenthesis")
    if not arguments.closes():
        raise IMAPWireError("Expected a closing parenthesis")
    return Known(uid_validity, since, uids, numbers)


def _plain_set(arguments: ArgumentReader) -> SequenceSet:
    found = arguments.sequence_set()
    if not found.ranges or any(high is None for _, high in found.ranges):
        raise IMAPWireError("* and $ are not allowed here")
    return found


def _pairs(numbers: SequenceSet, uids: SequenceSet) -> Iterable[tuple[range, range]]:
    """The ranges of both, cut to the same lengths.

    :raises IMAPWireError: they do not ascend, or have different lengths.
    """
    left, right = _ascending(numbers), _ascending(uids)
    one = other = range(0)
    while True:
        one = one or next(left, one)
        other = other or next(right, other)
        if not one or not other:
            break
        count = min(len(one), len(other))
        yield one[:count], other[:count]
        one, other = one[count:], other[count:]
    if one or other:
        raise IMAPWireError("As many UIDs as sequence numbers are needed")


def _ascending(numbers: SequenceSet) -> Iterator[range]:
    before = 0
    for low, high in numbers.ranges:
        if low is None or high is None or low <= before:
            raise IMAPWireError("The numbers must ascend")
        before = high
        yield range(low, high + 1)


async def _prepare(session: Session, known: Known) -> None:
    _check_enabled(session)
    if known.numbers is not None:
        if session.manner.uids_only:
            raise UIDRequired
        async for _ in session.in_batches(_pairs(*known.numbers), _AT_ONCE):
            pass  # if they do not fit, no mailbox is opened


async def _resynchronize(session: Session, writer: ViewWriter, status: MailboxStatus, known: Known) -> None:
    """Tell what has changed since the client has seen the mailbox (RFC 7162 3.2.5)."""
    view = writer.view
    if known.uid_validity != view.mailbox.uid_validity:
        return
    everything = SequenceSet(((1, _GREATEST_UID),))
    wanted = (known.uids or everything).merged(_GREATEST_UID)
    await session.yield_turn()
    highest = 0
    if known.numbers is not None:
        async for pairs in session.in_batches(_pairs(*known.numbers), _AT_ONCE):
            highest = max(highest, _known_up_to(view.uids, pairs))
    wanted = list(common(wanted, [(highest + 1, _GREATEST_UID)]))
    await session.yield_turn()
    await _tell_vanished(session, known.modseq, wanted)
    indexes = await view.indexes(known.uids or everything, uid=True)
    changed = await view.changed_since(known.modseq, indexes)
    for start in range(0, len(changed), _AT_ONCE):
        session.respond(writer.fetch_flags(changed[start : start + _AT_ONCE], uid=True))
        await session.flush()


def _known_up_to(uids: Sequence[int], numbers: Iterable[tuple[range, range]]) -> int:
    """The greatest UID that still has the number that the client knows: up to it, it knows all expunges."""
    highest = 0
    for here, there in numbers:
        some = here[: max(0, len(uids) + 1 - here.start)]
        # The UIDs here are at least as far apart as the numbers: those that match come first.
        first = there.start
        matching = bisect_right(
            range(len(some)),
            0,
            key=lambda at: uids[here.start - 1 + at] - first - at,
        )
        if matching and uids[here.start + matching - 2] == first + matching - 1:
            highest = first + matching - 1
    return highest


async def _tell_vanished(session: Session, since: int, wanted: Sequence[tuple[int, int]]) -> None:
    """VANISHED (EARLIER) with those UIDs that were expunged since then (RFC 7162 3.2.10.1)."""
    view = session.selected
    changes = await settle(view.mailbox.changes_since(since))
    for some in runs(changes.vanished):
        await session.yield_turn()
        told: list[bytes] = []
        # What the client still counts was expunged just now, and is told later.
        async for ranges in session.in_batches(without(common(some, wanted), view.uids), _AT_ONCE):
            told += [_written(*each) for each in ranges]
        if told:
            session.respond(b"* VANISHED (EARLIER) %b\r\n" % b",".join(told))
            await session.flush()


def _written(first: int, last: int) -> bytes:
    return b"%d" % first if first == last else b"%d:%d" % (first, last)


# -- FETCH


async def _vanished(session: Session, request: FetchRequest, value: None) -> None:
    """Tell which of the messages were expunged (RFC 7162 3.2.6)."""
    _check_enabled(session)
    since = request.asked.modifiers.of(CHANGED_SINCE)
    if since is None or not request.uid:
        raise BadCommand("VANISHED is for UID FETCH with CHANGEDSINCE")
    sequence = request.asked.sequence
    if sequence.ranges:  # what is gone is no saved result any more (RFC 5182 2.1)
        await _tell_vanished(session, since, sequence.merged(_GREATEST_UID))


EXTENSION = Extension(
    "QRESYNC",
    capabilities=("QRESYNC",),
    needs_extensions=frozenset({"CONDSTORE", "ENABLE"}),
    enables={"QRESYNC": _enable},
    select_parameters=(SelectParameter("QRESYNC", _read_known, _resynchronize, _prepare),),
    fetch_modifiers=(FetchModifier("VANISHED", no_value, _vanished),),
)
