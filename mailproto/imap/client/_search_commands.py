"""SEARCH, SORT and THREAD, and what the server, or the client, remembers of a search: ``$`` (RFC 5182)."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence

from twisted.internet.defer import Deferred

from mailproto._arguments import check_bool, check_type, wrong_value
from mailproto.client.errors import CommandRefused, ProtocolViolation
from mailproto.imap.client._answer_data import (
    esearch_of,
    esearch_tag,
    numbers_of,
    ordered_uids,
    search_result,
    values_of,
)
from mailproto.imap.client._command import Command, Piece
from mailproto.imap.client._core import ClientCore
from mailproto.imap.client._gathering import Gathered, at_once
from mailproto.imap.client._mailbox_values import SearchResult, ThreadNode
from mailproto.imap.client._message_limit import last_done
from mailproto.imap.client._places import at_places, places_text
from mailproto.imap.client._searching import SAVED, Criteria, Query, criteria_pieces
from mailproto.imap.client._uid_set import Uids, UidSet, range_count, set_texts
from mailproto.imap.wire._answers import Data
from mailproto.imap.wire._values import Value, number_of

__all__ = ["Found", "SearchCommands"]

_SORT_KEY = re.compile(r"(?:REVERSE )?[A-Z]+", re.IGNORECASE)


class SearchCommands(ClientCore):
    """The commands that find messages, and what was found last."""

    @at_once
    async def search(
        self, criteria: Criteria = "ALL", *, partial: tuple[int, int] | None = None, save: bool = False
    ) -> SearchResult:
        """SEARCH: the messages that match (RFC 9051 6.4.4).

        :param criteria: a `Query`, or keys as IMAP writes them: ``UNSEEN FROM "alice"``.
        :param partial: only those at these places in the result: ``(1, 100)`` for the first hundred,
            ``(-1, -100)`` for the last (RFC 9394).
        :param save: whether other methods may take these messages as ``"$"``, until a mailbox is selected,
            or another result is saved (RFC 5182).  They need not wait for the result.
        :raises CommandRefused: the server refuses it; with the code ``BADCHARSET`` if it cannot search for
            text that is not ASCII.
        :raises ValueError: there is a line end, or half a text, in the keys.
        """
        keys, needs_charset = criteria_pieces(criteria)
        if partial is not None:
            places_text(partial)
        check_bool("save", save)
        await self._knows()
        session = self._session
        keys = await self._with_saved(keys)
        charset = b"CHARSET UTF-8 " if needs_charset and not session.utf8 else b""
        if partial is None and not save:
            return await self._search_all(charset, keys)
        options = self._options(partial, save=save)
        if options:
            if save:
                session.saved = None
            try:
                result, last = await self._search(options, charset, keys)
            except CommandRefused as error:
                if getattr(error.reply, "code", "") != "NOTSAVED":
                    raise
            else:
                if last is None:
                    return result
        # The client does what the server does not.
        if not save:
            return _cut(await self._search_all(charset, keys), partial)
        saving = session.saved = Deferred()
        found = UidSet()
        try:
            result = _cut(await self._search_all(charset, keys), partial)
            found = result.uids
        finally:
            if session.saved is saving:
                session.saved = found
            saving.callback(found)
        return result

    def _options(self, partial: tuple[int, int] | None, *, save: bool) -> str:
        """The options with which the server does all of it; ``""`` if there are none."""
        has = self._session.has
        if not has("ESEARCH", "IMAP4REV2"):
            return ""
        # A server with a limit saves no more than that (RFC 9738 3.4).
        if save and not (has("SEARCHRES", "IMAP4REV2") and self._session.most("MESSAGELIMIT") is None):
            return ""
        if partial is not None and not self._offers_partial(partial):
            return ""
        return ("ALL" if partial is None else f"PARTIAL {places_text(partial)}") + " SAVE" * save

    async def _search_all(self, charset: bytes, keys: Sequence[Piece]) -> SearchResult:
        """Search, in as many commands as the server needs (RFC 9738)."""
        options = "ALL" if self._session.has("ESEARCH", "IMAP4REV2") else ""
        result, last = await self._search(options, charset, keys)
        if last is None:
            return result
        parts, modseqs = [result.uids], [result.modseq]
        while last is not None and last > 1:
            rest = [b"UID 1:%d " % (last - 1), *keys]
            result, last = await self._search(options, charset, rest, last)
            parts.append(result.uids)
            modseqs.append(result.modseq)
            if len(parts) + sum(map(range_count, parts)) > self._session.limits.messages:
                raise self._session.fail(ProtocolViolation("The server's answers of SEARCH have no end"))
        uids = UidSet.of_ranges(pair for part in parts for pair in part.ranges)
        return SearchResult(uids, max((each for each in modseqs if each is not None), default=None))

    async def _search(
        self, options: str, charset: bytes, keys: Sequence[Piece], before: int | None = None
    ) -> tuple[SearchResult, int | None]:
        """Search with one command; what was searched last if that was not all, as in `last_done`."""
        start = f"UID SEARCH {f'RETURN ({options}) ' if options else ''}".encode("ascii")
        found = await self._found("UID SEARCH", [start, charset, *keys], "SEARCH", "ESEARCH")
        last = last_done(found.code("MESSAGELIMIT"), before)
        return search_result(found.data, self._session.limits), last

    async def _found(self, name: str, pieces: Sequence[Piece], *names: str) -> Found:
        """Send a command whose answer names its tag, if the server does that."""
        found = Found(self._session)
        command = found.command = Command(name, pieces, found, names, tagged=self._session.names_tags)
        found.note(await self._send(command))
        return found

    def _offers_partial(self, partial: tuple[int, int]) -> bool:
        has, most = self._session.has, self._session.most("MESSAGELIMIT")
        if most is not None and abs(partial[1] - partial[0]) >= most:  # it would be refused (RFC 9738 3.1)
            return False
        return has("PARTIAL") or (has("CONTEXT=SEARCH") and partial[0] > 0)

    @at_once
    async def sort(
        self,
        order: str | Sequence[str],
        criteria: Criteria = "ALL",
        *,
        partial: tuple[int, int] | None = None,
    ) -> Sequence[int]:
        """SORT: the messages that match, in an order (RFC 5256).

        :param order: keys such as ``DATE`` or ``REVERSE ARRIVAL``, the main one first.
        :param partial: only those at these places in the result, as for `search` (RFC 5267).
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
        places = None if partial is None else places_text(partial)
        await self._needs("SORT", "SORT=DISPLAY")
        pieces = await self._with_saved(pieces)
        rest: list[Piece] = [f"({' '.join(keys)}) UTF-8 ".encode("ascii"), *pieces]
        if partial is not None and self._session.has("ESORT") and self._offers_partial(partial):
            start = f"UID SORT RETURN (PARTIAL {places}) ".encode("ascii")
            found: list[int] = []
            most = min(abs(partial[1] - partial[0]) + 1, self._session.limits.messages)
            for data in (await self._found("UID SORT", [start, *rest], "ESEARCH")).data:
                octets = esearch_of(data, self._session.limits).octets or b""
                found += ordered_uids(octets, most - len(found))
            return found
        numbers = array("I")
        for data in await self._ask("UID SORT", [b"UID SORT ", *rest], "SORT"):
            numbers_of(data.text, numbers.extend)
        return numbers if partial is None else at_places(numbers, partial)

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
        pieces = await self._with_saved(pieces)
        start = f"UID THREAD {algorithm.upper()} UTF-8 ".encode("ascii")
        found: list[ThreadNode] = []
        for data in await self._ask("UID THREAD", [start, *pieces], "THREAD"):
            for value in values_of(data, self._session.limits):
                if isinstance(value, list):
                    found += _thread(value)
        return found

    # -- what was found last

    async def _saved(self) -> UidSet | None:
        """What the client remembers of the last search with ``save``; None if the server does it."""
        saved = self._session.saved
        if isinstance(saved, Deferred):
            found: Deferred[UidSet] = Deferred()

            def pass_on(uids: UidSet) -> UidSet:
                found.callback(uids)
                return uids

            saved.addCallback(pass_on)
            saved = await found
            if self._session.error is not None:
                raise self._session.error
        if saved is None and not self._session.has("SEARCHRES", "IMAP4REV2"):
            return UidSet()
        return saved

    async def _texts(self, uids: Uids) -> list[tuple[str, UidSet | None]]:
        """As `set_texts`; ``"$"`` is what was found last."""
        texts = set_texts(uids)
        if uids == "$":
            await self._knows()
            saved = await self._saved()
            return texts if saved is None else set_texts(saved)
        return texts

    async def _with_saved(self, pieces: list[Piece]) -> list[Piece]:
        """Search keys; ``$`` is what was found last."""
        if SAVED not in pieces:
            return pieces
        saved = await self._saved()
        if saved is None:
            return pieces
        key = Query.uids(saved).pieces if saved else (b"NOT ALL",)
        made: list[Piece] = []
        for piece in pieces:
            made += key if piece is SAVED else (piece,)
        return made


class Found(Gathered):
    """The answer to a search.  ESEARCH names the tag of the command (RFC 4466 2.6.2).

    :ivar command: the one that is answered.
    """

    command: Command | None = None

    def take(self, data: Data, uid: int | None) -> bool:
        """Take a response, if it names this command, or if no other can be meant."""
        if data.name == "ESEARCH" and self.command is not None:
            session = self._session
            if esearch_tag(data, session.limits) == self.command.tag:
                session.names_tags = True
            elif sum("ESEARCH" in each.names for each in session.running.listening) > 1:
                return False
        return super().take(data, uid)


def _cut(result: SearchResult, partial: tuple[int, int] | None) -> SearchResult:
    if partial is None:
        return result
    return SearchResult(UidSet(at_places(result.uids, partial)), result.modseq)


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
