"""SELECT and EXAMINE, what they tell, and the ways to leave a mailbox."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred

from mailproto._arguments import check_bool, check_type
from mailproto.client.errors import CommandRefused
from mailproto.imap.client._answer_data import set_of, values_of
from mailproto.imap.client._command import Command
from mailproto.imap.client._core import ClientCore
from mailproto.imap.client._fetched import FetchedMessage, flags_of
from mailproto.imap.client._gathering import Gathered
from mailproto.imap.client._known_mailbox import KnownMailbox
from mailproto.imap.client._mailbox_values import SelectedMailbox
from mailproto.imap.client._uid_set import UidSet
from mailproto.imap.client._view import MailboxView
from mailproto.imap.wire._answers import Data, StatusResponse
from mailproto.imap.wire._values import BadValue, ValueReader, number_of, text_of

__all__ = ["SelectCommands"]


class SelectCommands(ClientCore):
    """The commands that select a mailbox, and leave it."""

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
        self._session.saved = None
        return self._session.run(lambda: self._select(mailbox, name, read_only, known))

    async def _select(
        self, mailbox: str, name: bytes, read_only: bool, known: KnownMailbox | None
    ) -> SelectedMailbox:
        session = self._session
        pieces = [b"EXAMINE " if read_only else b"SELECT ", name]
        if known is not None and "QRESYNC" in session.enabled:
            pieces.append(f" {known.parameter()}".encode("ascii"))
        elif session.has("CONDSTORE", "QRESYNC"):
            pieces.append(b" (CONDSTORE)")
        session.view = None
        names = ("EXISTS", "RECENT", "FLAGS", "VANISHED", "FETCH")
        verb = "EXAMINE" if read_only else "SELECT"
        answers = _Selecting(session)
        try:
            ending = await self._within_turn(Command(verb, pieces, answers, names))
        except CommandRefused as error:
            if "Unsafe Login" not in str(error) or not session.has("ID"):
                raise
            # NetEase's services open no mailbox for a program that has not said its name.
            await self._within_turn(Command("ID", [b'ID ("name" "mailproto")']))
            answers = _Selecting(session)
            ending = await self._within_turn(Command(verb, pieces, answers, names))
        view = MailboxView(mailbox, session.limits.messages)
        view.exists = answers.exists
        for message, number in answers.changed:
            view.learn(number, message.uid)
        session.view = view
        selected = answers.result(mailbox, ending)
        if known is not None and (uids := known.known) is not None:
            selected = replace(selected, vanished=selected.vanished & uids)
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
        self._session.saved = None
        return self._session.run(self._unselect)

    async def _unselect(self) -> None:
        session, view = self._session, self._session.view
        if view is None:
            return
        if session.has("UNSELECT", "IMAP4REV2"):
            await self._within_turn(Command("UNSELECT", [b"UNSELECT"]))
        else:  # CLOSE expunges nothing in a mailbox that was opened with EXAMINE
            await self._within_turn(Command("EXAMINE", [b"EXAMINE ", self._name(view.name)]))
            await self._within_turn(Command("CLOSE", [b"CLOSE"]))
        session.view = None

    def close_mailbox(self) -> Deferred[None]:
        """CLOSE: expunge all messages with ``\\Deleted``, and leave the mailbox (RFC 9051 6.4.1).

        :raises CommandRefused: the server refuses it.
        """
        self._session.saved = None
        return self._session.run(self._close_mailbox)

    async def _close_mailbox(self) -> None:
        await self._within_turn(Command("CLOSE", [b"CLOSE"]))
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
