"""The commands about messages: FETCH, SEARCH, SORT, THREAD and STORE."""

from __future__ import annotations

import re
from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from mailproto._arguments import check_bool, check_type, check_whole, wrong_value
from mailproto.imap.client._answer_data import numbers_of, search_result, set_of, values_of
from mailproto.imap.client._command import Command, Piece
from mailproto.imap.client._core import ClientCore
from mailproto.imap.client._fetched import FetchedMessage
from mailproto.imap.client._fetching import Fetched, Fetching, FetchIntoSink, Sink, fetch_items
from mailproto.imap.client._gathering import Gathered, at_once, each_of
from mailproto.imap.client._mailbox_values import SearchResult, ThreadNode
from mailproto.imap.client._searching import Criteria, criteria_pieces
from mailproto.imap.client._uid_set import Uids, UidSet, set_texts
from mailproto.imap.wire._values import Value, number_of

__all__ = ["MessageCommands", "Stored", "flags_text"]

_SORT_KEY = re.compile(r"(?:REVERSE )?[A-Z]+", re.IGNORECASE)
_FLAG = re.compile(r"\\?[^\x00-\x20\x7f-\uffff(){%*\"\\\]]+")
_SECTION = re.compile(r"[A-Za-z0-9. ()\-_]*")


@dataclass(frozen=True, slots=True)
class Stored:
    """What STORE has done.

    :ivar changed: the messages of which the server has told the flags, or the mod-sequence.
    :ivar refused: the UIDs that had changed since ``unchanged_since``, and were not changed now.
    """

    changed: Sequence[FetchedMessage] = ()
    refused: UidSet = field(default_factory=UidSet)


class MessageCommands(ClientCore):
    """The commands about messages.  All of them take and give UIDs."""

    def fetch(
        self, uids: Uids, *items: str, changed_since: int | None = None, vanished: bool = False
    ) -> Fetched:
        """FETCH: what is wanted of some messages, as it comes (RFC 9051 6.4.5)::

            async for message in client.fetch("1:*", "FLAGS", "ENVELOPE"):
                print(message.uid, message.envelope.subject)

        ``BODY[]`` marks a message as seen, ``BODY.PEEK[]`` does not.  A message of more than
        ``IMAPClientLimits.in_memory`` octets is in a temporary file while it is used.

        :param uids: the messages; there may be none.
        :param items: such as ``FLAGS``, ``ENVELOPE``, ``BODYSTRUCTURE``, ``RFC822.SIZE``, ``BODY.PEEK[]``.
        :param changed_since: only messages that have changed after this mod-sequence (CONDSTORE).
        :param vanished: with ``changed_since``: what is gone since then is in ``vanished`` of the result
            (QRESYNC, which must be enabled).
        :returns: an asynchronous iterator, which raises `CommandRefused` or `ConnectionLost`.
        :raises TypeError, ValueError: an argument is none of these.
        """
        texts = set_texts(uids)
        checked, marks = fetch_items(items or ("FLAGS",))
        rest = f"(UID {' '.join(item for item in checked if item.upper() != 'UID')})"
        if changed_since is not None:
            check_whole("changed_since", changed_since)
            rest += f" (CHANGEDSINCE {changed_since}{' VANISHED' if vanished else ''})"
        elif vanished:
            raise ValueError("vanished needs changed_since")
        return Fetched(Fetching(self._session, texts, rest.encode("ascii"), marks, vanished=vanished))

    @at_once
    async def fetch_one(self, uid: int, *items: str) -> FetchedMessage | None:
        """FETCH of one message; None if it is gone.  :raises CommandRefused: the server refuses it."""
        check_whole("uid", uid, 1)
        found = None
        async for message in self.fetch(uid, *items):
            found = message
        return found

    @at_once
    async def fetch_into(self, uid: int, sink: Sink, section: str = "") -> int | None:
        """Write a section of a message to a file or the like, as its octets come; it does not become seen.

        :param sink: its ``write`` is called with each piece.
        :param section: such as ``HEADER`` or ``1.2``; ``""`` for the whole message.
        :returns: how many octets were written; None if the message or the section is not there.
        :raises Exception: what ``sink`` has raised.
        :raises CommandRefused: the server refuses it.
        """
        check_whole("uid", uid, 1)
        check_type("section", section, str, "a str such as '' or '1.2'")
        if not _SECTION.fullmatch(section):
            raise wrong_value("section", section, "a section such as '' or '1.2'")
        collector = FetchIntoSink(uid, section, sink, self._session)
        text = f"UID FETCH {uid} (UID BODY.PEEK[{section}])".encode("ascii")
        await self._send(Command("UID FETCH", [text], collector, ("FETCH",), uids=UidSet([uid])))
        if collector.error is not None:
            raise collector.error
        return collector.octets

    # -- searching

    @at_once
    async def search(self, criteria: Criteria = "ALL") -> SearchResult:
        """SEARCH: the messages that match (RFC 9051 6.4.4).

        :param criteria: a `Query`, or keys as IMAP writes them: ``UNSEEN FROM "alice"``.
        :raises CommandRefused: the server refuses it; with the code ``BADCHARSET`` if it cannot search for
            text that is not ASCII.
        :raises ValueError: there is a line end, or half a text, in the keys.
        """
        keys, needs_charset = criteria_pieces(criteria)
        await self._knows()
        pieces: list[Piece] = [b"UID SEARCH "]
        if self._session.has("ESEARCH", "IMAP4REV2"):
            pieces.append(b"RETURN (ALL) ")
        if needs_charset and not self._session.utf8:
            pieces.append(b"CHARSET UTF-8 ")
        answers = await self._ask("UID SEARCH", [*pieces, *keys], "SEARCH", "ESEARCH")
        return search_result(answers, self._session.limits)

    @at_once
    async def sort(self, order: str | Sequence[str], criteria: Criteria = "ALL") -> Sequence[int]:
        """SORT: the messages that match, in an order (RFC 5256).

        :param order: keys such as ``DATE`` or ``REVERSE ARRIVAL``, the main one first.
        :returns: their UIDs.
        :raises NotOffered: the server does not sort.
        :raises CommandRefused: the server refuses it.
        """
        keys = [order] if isinstance(order, str) else list(order)
        for key in keys:
            check_type("order", key, str, "keys such as 'DATE' or 'REVERSE ARRIVAL'")
            if not _SORT_KEY.fullmatch(key):
                raise wrong_value("order", key, "a key such as 'DATE' or 'REVERSE ARRIVAL'")
        if not keys:
            raise wrong_value("order", order, "at least one key")
        pieces, _ = criteria_pieces(criteria)
        await self._needs("SORT", "SORT=DISPLAY")
        start = f"UID SORT ({' '.join(keys)}) UTF-8 ".encode("ascii")
        numbers = array("I")
        for data in await self._ask("UID SORT", [start, *pieces], "SORT"):
            numbers_of(data.text, numbers.extend)
        return numbers

    @at_once
    async def thread(self, algorithm: str = "REFERENCES", criteria: Criteria = "ALL") -> Sequence[ThreadNode]:
        """THREAD: the messages that match, by conversation (RFC 5256).

        :param algorithm: ``REFERENCES``, ``ORDEREDSUBJECT`` or another one that the server has.
        :raises NotOffered: the server does not have it.
        :raises CommandRefused: the server refuses it.
        """
        check_type("algorithm", algorithm, str, "a str such as 'REFERENCES'")
        if not (algorithm.isascii() and algorithm.isalnum()):
            raise wrong_value("algorithm", algorithm, "a name such as 'REFERENCES'")
        pieces, _ = criteria_pieces(criteria)
        await self._needs(f"THREAD={algorithm.upper()}")
        start = f"UID THREAD {algorithm.upper()} UTF-8 ".encode("ascii")
        found: list[ThreadNode] = []
        for data in await self._ask("UID THREAD", [start, *pieces], "THREAD"):
            for value in values_of(data, self._session.limits):
                if isinstance(value, list):
                    found += _thread(value)
        return found

    # -- flags

    @at_once
    async def store(
        self,
        uids: Uids,
        *,
        add: Collection[str] = (),
        remove: Collection[str] = (),
        replace: Collection[str] | None = None,
        unchanged_since: int | None = None,
        silent: bool = True,
    ) -> Stored:
        """STORE: change the flags of messages (RFC 9051 6.4.6); give one of ``add``, ``remove``, ``replace``.

        :param add: flags to add, such as ``{"\\\\Seen"}``.
        :param replace: all flags that the messages shall have.
        :param unchanged_since: change only messages that have not changed after this mod-sequence
            (CONDSTORE); the others are in ``refused`` of the result.
        :param silent: False to be told the flags of each message.
        :raises NotOffered: ``unchanged_since``, without CONDSTORE.
        :raises CommandRefused: the server refuses it.
        :raises ValueError: something is no flag, or there is not one change.
        """
        texts = set_texts(uids)
        given = [("+", add)] * bool(add) + [("-", remove)] * bool(remove)
        given += [("", replace)] if replace is not None else []
        if len(given) != 1:
            raise ValueError("give one of add, remove and replace")
        check_bool("silent", silent)
        [(sign, flags)] = given
        change = f"{sign}FLAGS{'.SILENT' if silent else ''} {flags_text(flags)}"
        modifier = ""
        if unchanged_since is not None:
            check_whole("unchanged_since", unchanged_since)
            await self._needs("CONDSTORE", "QRESYNC")
            modifier = f" (UNCHANGEDSINCE {unchanged_since})"
        changed: list[FetchedMessage] = []
        refused = UidSet()
        sent = []
        for text, known in texts:
            gathered = Gathered(self._session)
            command = f"UID STORE {text}{modifier} {change}".encode("ascii")
            sent.append(
                (gathered, self._send(Command("UID STORE", [command], gathered, ("FETCH",), uids=known)))
            )
        endings = await each_of([answer for _, answer in sent])
        for (gathered, _), ending in zip(sent, endings, strict=True):
            refused |= set_of(gathered.code("MODIFIED", ending))
            for data, uid in zip(gathered.data, gathered.uids, strict=True):
                if uid is not None:
                    changed.append(FetchedMessage(uid, data, self._session.limits))
        return Stored(changed, refused)


def flags_text(flags: Collection[str]) -> str:
    """Flags in parentheses.

    :raises TypeError, ValueError: something is no flag.
    """
    if isinstance(flags, str):
        raise TypeError(f"flags must be a set of flags, not {flags!r}: write {{{flags!r}}}")
    for flag in flags:
        check_type("flag", flag, str, "a str such as '\\\\Seen'")
        if not _FLAG.fullmatch(flag):
            raise wrong_value("flag", flag, "a flag such as '\\\\Seen', or a keyword")
    return f"({' '.join(sorted(flags))})"


def _thread(value: list[Value]) -> list[ThreadNode]:
    """A thread: messages that each answer the one before, and at the end, perhaps, several threads."""
    chain: list[int | None] = []
    branches: list[ThreadNode] = []
    for each in value:
        if isinstance(each, list):
            branches += _thread(each)
        else:
            chain.append(number_of(each))
    if not chain:
        return [ThreadNode(None, tuple(branches))] if branches else []
    answers = tuple(branches)
    for uid in reversed(chain):
        answers = (ThreadNode(uid, answers),)
    return list(answers)
