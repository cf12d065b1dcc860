"""CONTEXT=SEARCH and CONTEXT=SORT (RFC 5267): the client is told how the results of its searches change."""

from __future__ import annotations

from array import array
from dataclasses import fields, is_dataclass, replace

from mailproto.connection.commands import State
from mailproto.imap.server._contexts import Context, Contexts
from mailproto.imap.server._errors import BadCommand
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._options import SearchReturn
from mailproto.imap.server._requests import SearchAsked, SearchFound
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import (
    And,
    ArgumentReader,
    Command,
    IMAPWireError,
    Not,
    Numbers,
    Or,
    SearchKey,
    SequenceSet,
    Uids,
    no_value,
    quoted_or_literal,
)
from mailproto.interfaces.add_ons import IFinding

__all__ = ["EXTENSION", "SORT"]

_AT_ONCE = 2000

_WEIGHT = 1000
"""How long keys may be that are kept: each key, range or 64 characters count as one."""

SORTED = 10_000
"""Of how many sorted results the changes are told: they are sorted anew each time."""

_TAGS = 100
"""How many searches one CANCELUPDATE may name."""

_LAST = (1 << 32) - 1


def _check(session: Session, asked: SearchAsked) -> None:
    if session.view is None:
        raise BadCommand("UPDATE is for a selected mailbox")
    contexts = _contexts(session)
    if contexts is not None and asked.tag in contexts.by_tag:
        raise BadCommand("Tag reuse")


def _contexts(session: Session) -> Contexts | None:
    follower = session.selected_writer.follower
    return follower if isinstance(follower, Contexts) else None


async def _nothing(session: Session, found: SearchFound, value: None) -> None:
    """Neither CONTEXT nor UPDATE has a part of the answer."""


async def _follow(session: Session, found: SearchFound, value: None) -> None:
    """Tell the changes of this result from now on, if it is of the selected mailbox."""
    if found.asked.view is not session.view:
        return
    writer, view, order = session.selected_writer, session.selected, found.asked.order
    contexts = _contexts(session) or Contexts(session, view)
    if (
        len(contexts.by_tag) >= session.limits.search_contexts
        or _weight(found.asked.key, len(view.saved)) > _WEIGHT
        or (order is not None and len(found.numbers) > SORTED)
    ):
        session.respond(b"* NO [NOUPDATE %b] Too many contexts\r\n" % quoted_or_literal(found.tag))
        return
    uids = array("I")
    for start in range(0, len(found.numbers), _AT_ONCE):
        some = found.numbers[start : start + _AT_ONCE]
        uids.extend(some if found.uid else [view.uids[number - 1] for number in some])
        await session.yield_turn()
    asked = replace(found.asked, key=_fixed(found.asked.key, view))
    contexts.by_tag[found.tag] = Context(asked, uids, SORTED)
    writer.follower = contexts


def _weight(value: object, saved: int) -> int:
    """How much is kept for a key, roughly.

    :param saved: how many ranges ``$`` stands for.
    """
    if isinstance(value, str):
        return len(value) // 64
    if isinstance(value, SequenceSet):
        return len(value.ranges) or saved
    if isinstance(value, tuple):
        return sum(_weight(each, saved) for each in value)
    if is_dataclass(value):
        return 1 + sum(_weight(getattr(value, field.name), saved) for field in fields(value))
    return 0


def _fixed(key: SearchKey, view: MailboxView) -> SearchKey:
    """The key with UIDs in the place of sequence numbers and ``$``, which mean what they mean now."""
    match key:
        case And(keys):
            return And(tuple([_fixed(each, view) for each in keys]))
        case Or(left, right):
            return Or(_fixed(left, view), _fixed(right, view))
        case Not(inner):
            return Not(_fixed(inner, view))
        case Numbers(sequence) | Uids(sequence):
            return Uids(SequenceSet(tuple(_ranges(sequence, view, isinstance(key, Uids)))))
    return key


def _ranges(sequence: SequenceSet, view: MailboxView, uid: bool) -> list[tuple[int, int]]:
    """The UIDs of a set; there is one range at least, and it may be of no message."""
    uids = view.uids
    if not sequence.ranges:
        found = list(view.saved)
    elif uid:
        last = uids[-1] if uids else 0
        found = [(low, _LAST if high == last else high) for low, high in sequence.merged(last)]
    else:
        found = [
            (uids[low - 1], uids[min(high, len(uids)) - 1])
            for low, high in sequence.merged(len(uids))
            if 0 < low <= len(uids)
        ]
    return found or [(_LAST, _LAST)]


def _tags(arguments: ArgumentReader) -> tuple[str, ...]:
    """``1*(SP tag)``, each in quotes."""
    tags = [arguments.string()]
    while not arguments.at_end():
        tags.append(arguments.string())
        if len(tags) > _TAGS:
            raise IMAPWireError("Too many tags", code="LIMIT", bad=False)
    return tuple([tag.decode("ascii", "replace") for tag in tags])


async def cancel(session: Session, command: Command[tuple[str, ...]]) -> None:
    """CANCELUPDATE: tell no more changes of these searches (RFC 5267 4.3.5)."""
    contexts = _contexts(session)
    known = {} if contexts is None else contexts.by_tag
    if not set(command.arguments) <= set(known):
        raise BadCommand("Unknown tag")
    for tag in command.arguments:
        known.pop(tag, None)
    if contexts is not None and not known:
        contexts.end()
        session.selected_writer.follower = None


EXTENSION = Extension(
    "CONTEXT=SEARCH",
    capabilities=("CONTEXT=SEARCH",),
    commands=(CommandSpec("CANCELUPDATE", _tags, cancel, State.SELECTED),),
    search_returns=(
        SearchReturn("CONTEXT", no_value, _nothing),
        SearchReturn("UPDATE", no_value, _nothing, check=_check, finish=_follow),
    ),
)

SORT = Extension("CONTEXT=SORT", capabilities=("CONTEXT=SORT",), needs=frozenset({IFinding}))
