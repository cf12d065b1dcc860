"""The commands about mailboxes: LIST, STATUS, SELECT and those that change the list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from twisted.internet.defer import Deferred

from mailproto._arguments import check_bool, check_type, check_whole, wrong_value
from mailproto.client.errors import CommandRefused
from mailproto.imap.client._answer_data import list_entry, mailbox_name, set_of, status_of, values_of
from mailproto.imap.client._core import ClientCore
from mailproto.imap.client._fetched import FetchedMessage, flags_of
from mailproto.imap.client._gathering import Gathered, at_once, each_of
from mailproto.imap.client._mailbox_values import (
    MailboxCounts,
    MailboxInfo,
    Namespace,
    Namespaces,
    SelectedMailbox,
)
from mailproto.imap.client._uid_set import Uids, UidSet, set_texts
from mailproto.imap.client._view import MailboxView
from mailproto.imap.wire._answers import Data, StatusResponse
from mailproto.imap.wire._values import BadValue, Value, ValueReader, number_of, octets_of, text_of
from mailproto.model import INBOX

__all__ = ["KnownMailbox", "MailboxCommands"]

_ATTRIBUTE = re.compile(r"\\[A-Za-z0-9-]+")
_MOST_KNOWN = 7000
"""Octets of the UIDs in QRESYNC's parameter: if they need more, none are sent, and the server needs none."""
_TOGETHER = 100  # STATUS commands that are under way together


@dataclass(frozen=True, slots=True)
class KnownMailbox:
    """What a program knows of a mailbox, for a quick resynchronization (RFC 7162).

    :ivar uid_validity: as it was.
    :ivar modseq: up to which all changes are known.
    :ivar uids: that the program has; None for any.
    """

    uid_validity: int
    modseq: int
    uids: Uids | None = None

    def __post_init__(self) -> None:
        check_whole("uid_validity", self.uid_validity, 1)
        check_whole("modseq", self.modseq, 1)


class MailboxCommands(ClientCore):
    """The commands about mailboxes."""

    @at_once
    async def list(
        self,
        pattern: str = "*",
        reference: str = "",
        *,
        subscribed: bool = False,
        special_use: bool = False,
        status: Sequence[str] = (),
    ) -> Sequence[MailboxInfo]:
        """LIST: the mailboxes whose names match (RFC 9051 6.3.9), with what the server tells of them.

        :param pattern: ``*`` stands for any text, ``%`` for any text within a level.
        :param subscribed: only those that are subscribed.
        :param special_use: only those with a special use (RFC 6154).
        :param status: what is wanted of each, as for `status`; it comes with the list if the server can do
            that, and is asked for one by one if not.
        :raises CommandRefused: the server refuses it.
        """
        await self._knows()
        session = self._session
        extended = session.has("LIST-EXTENDED", "IMAP4REV2")
        items = self._status_items(status) if status else ()
        with_status = bool(items) and session.has("LIST-STATUS", "IMAP4REV2") and extended
        selection, returns = [], []
        if extended and subscribed:
            selection.append("SUBSCRIBED")
        if special_use and session.has("SPECIAL-USE", "IMAP4REV2") and extended:
            selection.append("SPECIAL-USE")
        if extended:
            returns += ["SUBSCRIBED", "CHILDREN"]
            if session.has("SPECIAL-USE", "IMAP4REV2"):
                returns.append("SPECIAL-USE")
        if with_status:
            returns.append(f"STATUS ({' '.join(items)})")
        name = "LSUB" if subscribed and not extended else "LIST"
        pieces = [name.encode("ascii")]
        if selection:
            pieces.append(f" ({' '.join(selection)})".encode("ascii"))
        pieces += [b" ", self._name(reference), b" ", self._pattern(pattern)]
        if returns:
            pieces.append(f" RETURN ({' '.join(returns)})".encode("ascii"))
        names = (name, "STATUS") if with_status else (name,)
        found = self._entries(await self._ask(name, pieces, *names))
        if special_use:
            found = [each for each in found if each.special_use]
        if name == "LSUB":
            found = [replace(each, attributes=each.attributes | {"\\Subscribed"}) for each in found]
        if items and not with_status:
            slices = [found[start : start + _TOGETHER] for start in range(0, len(found), _TOGETHER)]
            found = []
            for some in slices:
                found += await each_of([self._with_status(each, items) for each in some])
        return found

    def _entries(self, answers: Sequence[Data]) -> Sequence[MailboxInfo]:
        limits = self._session.limits
        found: dict[str, MailboxInfo] = {}
        for data in answers:
            if data.name == "STATUS":
                told = status_of(data, limits, utf8=self._session.utf8)
                if told is not None and told[0] in found:
                    found[told[0]] = replace(found[told[0]], counts=told[1])
                continue
            entry = list_entry(data, limits, utf8=self._session.utf8)
            if entry is not None and entry.name:
                found.setdefault(entry.name, entry)
        return tuple(found.values())

    @at_once
    async def _with_status(self, entry: MailboxInfo, items: Sequence[str]) -> MailboxInfo:
        if not entry.is_selectable:
            return entry
        try:
            return replace(entry, counts=await self.status(entry.name, *items))
        except CommandRefused:  # it may be gone, or not be readable
            return entry

    def _pattern(self, pattern: str) -> bytes:
        name = self._name(pattern)
        return name if name.startswith((b'"', b"{")) else b'"%b"' % name

    @at_once
    async def status(self, mailbox: str, *items: str) -> MailboxCounts:
        """STATUS: what there is in a mailbox, without selecting it (RFC 9051 6.3.11).

        :param items: such as ``MESSAGES`` and ``UIDNEXT``; by default all that the server is likely to know.
        :raises CommandRefused: there is no such mailbox, or the server refuses it.
        """
        await self._knows()
        session, wanted = self._session, self._status_items(items)
        text = f" ({' '.join(wanted)})".encode("ascii")
        session = self._session
        states = [MailboxCounts()]

        def is_wanted(data: Data) -> bool:
            """Whether it is of this mailbox; the server may name it otherwise if no other is asked for."""
            told = status_of(data, session.limits, utf8=session.utf8)
            asking = sum("STATUS" in each.names for each in session.running.values())
            if told is None or (told[0] != asked and asking > 1):
                return False
            states.append(told[1])
            return True

        pieces = [b"STATUS ", self._name(mailbox), text]
        asked = INBOX if mailbox.upper() == INBOX else mailbox
        await self._send("STATUS", pieces, Gathered(session, is_wanted), ("STATUS",), mailbox=asked)
        return states[-1]

    def _status_items(self, items: Iterable[str]) -> tuple[str, ...]:
        wanted = tuple(items)
        for item in wanted:
            check_type("item", item, str, "a str such as 'MESSAGES'")
            if not (item.isascii() and item.replace("-", "").isalnum()):
                raise wrong_value("item", item, "an item such as 'MESSAGES'")
        if wanted:
            return wanted
        has = self._session.has
        usual = ["MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN"]
        usual += ["HIGHESTMODSEQ"] if has("CONDSTORE", "QRESYNC") else []
        usual += ["SIZE"] if has("STATUS=SIZE", "IMAP4REV2") else []
        usual += ["MAILBOXID"] if has("OBJECTID") else []
        return tuple(usual)

    # -- the list

    @at_once
    async def create(self, mailbox: str, *, special_use: str | None = None) -> None:
        """CREATE a mailbox (RFC 9051 6.3.4).

        :param special_use: such as ``\\Sent`` (RFC 6154).
        :raises NotOffered: the server takes no special use.
        :raises CommandRefused: the server refuses it; with ``error.reply.code == "ALREADYEXISTS"`` if it
            says so.
        """
        pieces = [b"CREATE ", self._name(mailbox)]
        if special_use is not None:
            check_type("special_use", special_use, str, "a str such as '\\\\Sent'")
            if not _ATTRIBUTE.fullmatch(special_use):
                raise wrong_value("special_use", special_use, "an attribute such as '\\\\Sent'")
            await self._needs("CREATE-SPECIAL-USE")
            pieces.append(f" (USE ({special_use}))".encode("ascii"))
        await self._send("CREATE", pieces)

    @at_once
    async def delete(self, mailbox: str) -> None:
        """DELETE a mailbox with its messages (RFC 9051 6.3.5).  :raises CommandRefused: refused."""
        await self._send("DELETE", [b"DELETE ", self._name(mailbox)])

    @at_once
    async def rename(self, mailbox: str, new_name: str) -> None:
        """RENAME a mailbox (RFC 9051 6.3.6).  :raises CommandRefused: refused."""
        await self._send("RENAME", [b"RENAME ", self._name(mailbox), b" ", self._name(new_name)])

    @at_once
    async def subscribe(self, mailbox: str) -> None:
        """SUBSCRIBE to a mailbox (RFC 9051 6.3.7).  :raises CommandRefused: refused."""
        await self._send("SUBSCRIBE", [b"SUBSCRIBE ", self._name(mailbox)])

    @at_once
    async def unsubscribe(self, mailbox: str) -> None:
        """UNSUBSCRIBE from a mailbox (RFC 9051 6.3.8).  :raises CommandRefused: refused."""
        await self._send("UNSUBSCRIBE", [b"UNSUBSCRIBE ", self._name(mailbox)])

    @at_once
    async def namespace(self) -> Namespaces:
        """NAMESPACE: the prefixes of names (RFC 2342); none if the server has no such command."""
        await self._knows()
        if not self._session.has("NAMESPACE", "IMAP4REV2"):
            return Namespaces()
        for data in await self._ask("NAMESPACE", [b"NAMESPACE"], "NAMESPACE"):
            values = values_of(data, self._session.limits)
            kinds = [_namespaces(value, utf8=self._session.utf8) for value in values[:3]]
            return Namespaces(*kinds)
        return Namespaces()

    # -- the selected mailbox

    def select(
        self, mailbox: str, *, read_only: bool = False, known: KnownMailbox | None = None
    ) -> Deferred[SelectedMailbox]:
        """SELECT a mailbox, or EXAMINE it (RFC 9051 6.3.2).

        Modseqs are asked for if the server keeps them (CONDSTORE).

        :param read_only: nothing can be changed then, and no message becomes seen.
        :param known: what the program knows of it; then ``vanished`` and ``changed`` of the result tell what
            is new since then.  It is used if QRESYNC was enabled before (`enable`), and else left out.
        :raises CommandRefused: there is no such mailbox, or the server refuses it; none is selected then.
        """
        check_bool("read_only", read_only)
        name = self._name(mailbox)
        if known is not None:
            check_type("known", known, KnownMailbox, "a KnownMailbox or None")
        return self._session.run(lambda: self._select(mailbox, name, read_only, known))

    async def _select(
        self, mailbox: str, name: bytes, read_only: bool, known: KnownMailbox | None
    ) -> SelectedMailbox:
        session = self._session
        pieces = [b"EXAMINE " if read_only else b"SELECT ", name]
        if known is not None and "QRESYNC" in session.enabled:
            texts = [] if known.uids is None else set_texts(known.uids)
            text = texts[0][0] if len(texts) == 1 and "*" not in texts[0][0] else ""
            uids = f" {text}" if text else ""
            pieces.append(f" (QRESYNC ({known.uid_validity} {known.modseq}{uids}))".encode("ascii"))
        elif session.has("CONDSTORE", "QRESYNC"):
            pieces.append(b" (CONDSTORE)")
        session.view = None
        names = ("EXISTS", "RECENT", "FLAGS", "VANISHED", "FETCH")
        verb = "EXAMINE" if read_only else "SELECT"
        answers = _Selecting(session)
        try:
            ending = await self._within_turn(verb, pieces, answers, names)
        except CommandRefused as error:
            if "Unsafe Login" not in str(error) or not session.has("ID"):
                raise
            # NetEase's services open no mailbox for a program that has not said its name.
            await self._within_turn("ID", [b'ID ("name" "mailproto")'])
            answers = _Selecting(session)
            ending = await self._within_turn(verb, pieces, answers, names)
        view = MailboxView(mailbox, session.limits.messages)
        view.exists = answers.exists
        for message, number in answers.changed:
            view.learn(number, message.uid)
        session.view = view
        selected = answers.result(mailbox, ending)
        return replace(selected, is_read_only=True) if read_only else selected

    @property
    def selected(self) -> str | None:
        """The name of the selected mailbox; None if there is none."""
        view = self._session.view
        return None if view is None else view.name

    @property
    def exists(self) -> int:
        """How many messages are in the selected mailbox, as far as it is known; 0 if there is none."""
        view = self._session.view
        return 0 if view is None else view.exists

    def unselect(self) -> Deferred[None]:
        """Leave the selected mailbox, and expunge nothing (RFC 3691).

        :raises CommandRefused: the server refuses it.
        """
        return self._session.run(self._unselect)

    async def _unselect(self) -> None:
        session, view = self._session, self._session.view
        if view is None:
            return
        if session.has("UNSELECT", "IMAP4REV2"):
            await self._within_turn("UNSELECT", [b"UNSELECT"])
        else:  # CLOSE expunges nothing in a mailbox that was opened with EXAMINE
            await self._within_turn("EXAMINE", [b"EXAMINE ", self._name(view.name)])
            await self._within_turn("CLOSE", [b"CLOSE"])
        session.view = None

    def close_mailbox(self) -> Deferred[None]:
        """CLOSE: expunge all messages with ``\\Deleted``, and leave the mailbox (RFC 9051 6.4.1).

        :raises CommandRefused: the server refuses it.
        """
        return self._session.run(self._close_mailbox)

    async def _close_mailbox(self) -> None:
        await self._within_turn("CLOSE", [b"CLOSE"])
        self._session.view = None


class _Selecting(Gathered):
    """The answers to SELECT."""

    exists = 0
    recent = 0

    def take(self, data: Data, uid: int | None) -> bool:
        """Take a response; those before ``[CLOSED]`` are about the mailbox before."""
        if data.name == "EXISTS":
            self.exists = data.number or 0
        elif data.name == "RECENT":
            self.recent = data.number or 0
        else:
            return super().take(data, uid)
        return True

    def note(self, status: StatusResponse) -> None:
        """The mailbox before is closed: what has come was about it."""
        if status.code == "CLOSED":
            self.exists = self.recent = 0
            self.data, self.uids, self.notes = [], [], []
        else:
            super().note(status)

    @property
    def changed(self) -> list[tuple[FetchedMessage, int | None]]:
        """The messages that have changed, with their numbers."""
        limits = self._session.limits
        rows = zip(self.data, self.uids, strict=True)
        return [
            (FetchedMessage(uid, data, limits), data.number)
            for data, uid in rows
            if data.name == "FETCH" and uid is not None
        ]

    def result(self, name: str, ending: StatusResponse) -> SelectedMailbox:
        """The mailbox."""
        flags: frozenset[str] = frozenset()
        vanished = UidSet()
        for data in self.data:
            if data.name == "FLAGS":
                values = values_of(data, self._session.limits)
                flags = flags_of(values[0]) if values else flags
            elif data.name == "VANISHED":
                words = data.text.split()
                vanished |= set_of(words[-1] if words else None)
        permanent = self.code("PERMANENTFLAGS")
        mailbox_id = self.code("MAILBOXID")
        return SelectedMailbox(
            name,
            self.exists,
            self.recent,
            number_of(self.code("UIDVALIDITY")) or 0,
            number_of(self.code("UIDNEXT")),
            flags,
            flags if permanent is None else _flags_in(permanent),
            ending.code == "READ-ONLY",
            number_of(self.code("HIGHESTMODSEQ")),
            text_of(mailbox_id.strip(b"()")) if mailbox_id else None,
            vanished,
            tuple(message for message, _ in self.changed),
        )


def _flags_in(octets: bytes) -> frozenset[str]:
    try:
        return flags_of(ValueReader(octets).value())
    except BadValue:
        return frozenset()


def _namespaces(value: Value, *, utf8: bool) -> tuple[Namespace, ...]:
    if not isinstance(value, list):
        return ()
    pairs = [each for each in value if isinstance(each, list) and len(each) >= 2]
    return tuple(
        Namespace(mailbox_name(octets_of(each[0]) or b"", utf8=utf8), text_of(each[1])) for each in pairs
    )
