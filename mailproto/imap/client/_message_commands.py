"""The commands about messages: FETCH and STORE."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred

from mailproto._arguments import check_bool, check_type, check_whole, wrong_value
from mailproto.imap.client._answer_data import set_of
from mailproto.imap.client._command import Command
from mailproto.imap.client._fetched import FetchedMessage
from mailproto.imap.client._fetching import Fetched, Fetching, FetchIntoSink, Sink, Texts, fetch_items
from mailproto.imap.client._gathering import Gathered, at_once, each_of
from mailproto.imap.client._message_limit import last_done, part_below
from mailproto.imap.client._places import at_places, places_text
from mailproto.imap.client._search_commands import SearchCommands
from mailproto.imap.client._uid_set import Uids, UidSet, set_texts

__all__ = ["MessageCommands", "Stored", "flags_text"]

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


class MessageCommands(SearchCommands):
    """The commands about messages.  All of them take and give UIDs."""

    def fetch(
        self,
        uids: Uids,
        *items: str,
        changed_since: int | None = None,
        vanished: bool = False,
        partial: tuple[int, int] | None = None,
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
        :param partial: only the messages at these places among ``uids``: ``(-1, -100)`` for the last hundred
            (RFC 9394).
        :returns: an asynchronous iterator, which raises `CommandRefused` or `ConnectionLost`.
        :raises TypeError, ValueError: an argument is none of these.
        """
        texts = set_texts(uids)
        checked, marks = fetch_items(items or ("FLAGS",))
        rest = f"(UID {' '.join(item for item in checked if item.upper() != 'UID')})"
        modifiers = []
        if changed_since is not None:
            check_whole("changed_since", changed_since)
            modifiers.append(f"CHANGEDSINCE {changed_since}{' VANISHED' if vanished else ''}")
        elif vanished:
            raise ValueError("vanished needs changed_since")
        if partial is not None:
            if vanished:
                raise ValueError("partial and vanished exclude each other")
            places = places_text(partial)
            offered = self._session.has("PARTIAL") and self._offers_partial(partial)
            if offered and len(texts) == 1 and uids != "$":
                modifiers.append(f"PARTIAL {places}")
                partial = None
        if modifiers:
            rest += f" ({' '.join(modifiers)})"
        chosen: Texts | Deferred[Texts] = texts
        if partial is not None or uids == "$":
            chosen = Deferred.fromCoroutine(self._chosen(uids, partial))
        return Fetched(Fetching(self._session, chosen, rest.encode("ascii"), marks, vanished=vanished))

    async def _chosen(self, uids: Uids, partial: tuple[int, int] | None) -> Texts:
        """The messages at these places, for a server that does not choose them."""
        texts = await self._texts(uids)
        if partial is None:
            return texts
        found = UidSet()
        for text, _ in texts:
            found |= (await self.search(f"UID {text}")).uids
        return set_texts(UidSet(at_places(found, partial)))

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
        set_texts(uids)
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
        texts, last = await self._texts(uids), None
        while texts:
            sent = []
            for text, known in texts:
                gathered = Gathered(self._session)
                octets = f"UID STORE {text}{modifier} {change}".encode("ascii")
                command = Command("UID STORE", [octets], gathered, ("FETCH",), uids=known)
                sent.append((gathered, text, known, self._send(command)))
            endings = await each_of([answer for *_, answer in sent])
            rest = UidSet()
            for (gathered, text, known, _), ending in zip(sent, endings, strict=True):
                refused |= set_of(gathered.code("MODIFIED", ending))
                for data, uid in zip(gathered.data, gathered.uids, strict=True):
                    if uid is not None:
                        changed.append(FetchedMessage(uid, data, self._session.limits))
                done = last_done(gathered.code("MESSAGELIMIT", ending))
                if done is not None:
                    rest |= part_below(text, known, done)
            # Each round leaves fewer, or is the last one.
            texts = set_texts(rest) if last is None or (rest and rest[-1] < last) else []
            last = rest[-1] if rest else None
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
