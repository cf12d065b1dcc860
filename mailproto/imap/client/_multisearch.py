"""Searching in several mailboxes (RFC 7377)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mailproto.client.errors import CommandRefused
from mailproto.imap.client._answer_data import esearch_of, search_result
from mailproto.imap.client._command import Command, Piece
from mailproto.imap.client._gathering import Gathered, at_once, check_several, not_offered
from mailproto.imap.client._mailbox_values import SearchResult
from mailproto.imap.client._search_commands import SearchCommands
from mailproto.imap.client._searching import SAVED, Criteria, criteria_pieces
from mailproto.imap.client._selecting import SelectCommands

__all__ = ["MultisearchCommands"]


class MultisearchCommands(SearchCommands, SelectCommands):
    """The command that searches in several mailboxes."""

    @at_once
    async def search_in(
        self, mailboxes: Collection[str], criteria: Criteria = "ALL"
    ) -> Mapping[str, SearchResult]:
        """ESEARCH: the messages that match in several mailboxes, without selecting them (RFC 7377).

        Where the server has no such command, they are opened one after the other, if none is selected.

        :returns: by mailbox, what was found, with its ``uid_validity``; mailboxes in which nothing was found,
            or that cannot be opened, are left out.
        :raises NotOffered: the server does not have it, and a mailbox is selected.
        :raises CommandRefused: the server refuses it.
        """
        check_several("mailboxes", mailboxes, "INBOX")
        names = [self._name(each) for each in mailboxes]
        keys, needs_charset = criteria_pieces(criteria)
        if SAVED in keys:
            raise ValueError("criteria must be without $, which is of the selected mailbox")
        if not names:
            return {}
        await self._knows()
        session = self._session
        if needs_charset and not session.utf8:
            keys.insert(0, b"CHARSET UTF-8 ")
        if not session.has("MULTISEARCH"):
            return await session.run(lambda: self._search_each(mailboxes, keys))
        pieces: list[Piece] = [b"ESEARCH IN (mailboxes ("]
        for name in names:
            pieces += [name, b" "]
        pieces[-1] = b")) RETURN (ALL) "
        found: dict[str, SearchResult] = {}
        for data in (await self._found("ESEARCH", [*pieces, *keys], "ESEARCH")).data:
            mailbox = esearch_of(data, session.limits, utf8=session.utf8).mailbox
            result = search_result([data], session.limits)
            if mailbox is not None and result:
                found[mailbox] = result
        return found

    async def _search_each(
        self, mailboxes: Collection[str], keys: Sequence[Piece]
    ) -> Mapping[str, SearchResult]:
        if self._session.view is not None:
            raise not_offered("MULTISEARCH")
        found: dict[str, SearchResult] = {}
        try:
            for mailbox in mailboxes:
                try:
                    opened = await self._select(mailbox, self._name(mailbox), read_only=True, known=None)
                except CommandRefused:  # it is gone, or cannot be read
                    continue
                gathered = Gathered(self._session)
                search = Command("UID SEARCH", [b"UID SEARCH ", *keys], gathered, ("SEARCH", "ESEARCH"))
                await self._within_turn(search)
                result = search_result(gathered.data, self._session.limits)
                if result:
                    found[mailbox] = SearchResult(result.uids, result.modseq, opened.uid_validity)
        finally:
            if self._session.is_usable:
                await self._unselect()
        return found
