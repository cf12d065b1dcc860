"""The commands that put messages somewhere, or remove them: APPEND, COPY, MOVE and EXPUNGE."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import Message

from mailproto._arguments import wrong_type
from mailproto.client.errors import CommandRefused
from mailproto.content import Content, Octets
from mailproto.imap.client._answer_data import ordered_uids, search_result
from mailproto.imap.client._command import Command, Literal, Piece
from mailproto.imap.client._gathering import Gathered, at_once, each_of
from mailproto.imap.client._mailbox_values import AppendedTo, Copied
from mailproto.imap.client._message_commands import flags_text
from mailproto.imap.client._message_limit import last_done, parts_around
from mailproto.imap.client._parts import PartCommands
from mailproto.imap.client._uid_set import Uids, UidSet, set_texts
from mailproto.imap.wire import internal_date
from mailproto.imap.wire._answers import StatusResponse
from mailproto.imap.wire._values import number_of
from mailproto.message import HEADER_LIMIT
from mailproto.model import NewMessage

__all__ = ["TransferCommands"]

_PER_COMMAND = 1000
"""Messages of one APPEND (RFC 3502), which is done as a whole or not at all."""


class TransferCommands(PartCommands):
    """The commands that put messages somewhere, or remove them."""

    @at_once
    async def append(self, mailbox: str, *messages: NewMessage | Octets | Message) -> AppendedTo:
        """APPEND messages to a mailbox (RFC 9051 6.3.12)::

            await client.append("Sent", NewMessage(octets, frozenset({"\\\\Seen"})))

        The octets of a large message are read as fast as the server takes them.  Several messages are sent
        together: as one command where the server takes that (MULTIAPPEND), all of them or none; else one
        after the other, and if one is refused, the others may have been appended.

        :param messages: each a `mailproto.model.NewMessage`, or only its octets, with CRLF line ends; or an
            `email.message.EmailMessage`.
        :returns: their UIDs, if the server tells them (UIDPLUS).
        :raises CommandRefused: the server refuses it; ``error.reply.code`` is ``TRYCREATE`` if there is no
            such mailbox.
        :raises ConnectionLost: also if a message cannot be read: only that tells the server that it is not
            whole.
        """
        name = self._name(mailbox)
        texts = [_message(each) for each in messages]
        if not texts:
            return AppendedTo()
        await self._knows()
        most = self._session.most("MESSAGELIMIT", "SAVELIMIT") or _PER_COMMAND
        size = min(most, _PER_COMMAND) if self._session.has("MULTIAPPEND") else 1
        answers = []
        for start in range(0, len(texts), size):
            pieces: list[Piece] = [b"APPEND ", name]
            for before, content in texts[start : start + size]:
                pieces += [before, *self._literal(content)]
            answers.append(self._send(Command("APPEND", pieces)))
        return _appended(await each_of(answers))

    def _literal(self, content: Content) -> tuple[Piece, ...]:
        """A message as it is sent; one with UTF-8 in its header is marked (RFC 6855 4)."""
        if "UTF8=ACCEPT" in self._session.enabled and not _header_of(content).isascii():
            return b"UTF8 (", Literal(content, binary=True), b")"
        binary = self._session.has("BINARY", "IMAP4REV2") and content.find(b"\0") >= 0
        return (Literal(content, binary=binary),)

    @at_once
    async def copy(self, uids: Uids, mailbox: str) -> Copied:
        """COPY messages into another mailbox (RFC 9051 6.4.7).

        :returns: the UIDs of the copies, if the server tells them (UIDPLUS).
        :raises CommandRefused: the server refuses it; ``error.reply.code`` is ``TRYCREATE`` if there is no
            such mailbox.
        """
        name = self._name(mailbox)
        sent = [self._copy(text, known, name) for text, known in await self._texts(uids)]
        return _copied([answer for answers in await each_of(sent) for answer in answers])

    @at_once
    async def _copy(
        self, text: str, known: UidSet | None, name: bytes
    ) -> list[tuple[Gathered, StatusResponse]]:
        """Copy messages, in parts if they are too many for the server (RFC 9738)."""
        answers = []
        texts = [(text, known)]
        while texts:
            text, known = texts.pop(0)
            gathered = Gathered(self._session)
            command = [b"UID COPY %b " % text.encode("ascii"), name]
            try:
                ending = await self._send(Command("UID COPY", command, gathered, uids=known))
            except CommandRefused as error:
                reply, parts = error.reply, []
                if isinstance(reply, StatusResponse) and reply.code == "MESSAGELIMIT":
                    lowest = last_done(reply.arguments)
                    parts = [] if lowest is None else parts_around(text, known, lowest)
                if not parts:
                    raise
                texts = [each for part in parts for each in set_texts(part)] + texts
            else:
                answers.append((gathered, ending))
        return answers

    @at_once
    async def move(self, uids: Uids, mailbox: str) -> Copied:
        """MOVE messages into another mailbox (RFC 6851).

        Without MOVE, they are copied, marked as deleted, and expunged, and no other messages with them.

        :returns: their new UIDs, if the server tells them (UIDPLUS).
        :raises CommandRefused: the server refuses it.
        """
        await self._knows()
        name = self._name(mailbox)
        texts = await self._texts(uids)
        if self._session.has("MOVE", "IMAP4REV2"):
            moved = []
            for text, _ in texts:
                moved += await self._repeat("UID MOVE", [b"UID MOVE %b " % text.encode("ascii"), name])
            return _copied(moved)
        return await self._session.run(lambda: self._copy_and_expunge(texts, name))

    async def _repeat(self, name: str, pieces: list[Piece]) -> list[tuple[Gathered, StatusResponse]]:
        """Send a command until the server has done it for all messages (RFC 9738)."""
        answers: list[tuple[Gathered, StatusResponse]] = []
        last: int | None = None
        while not answers or last is not None:
            gathered = Gathered(self._session)
            ending = await self._send(Command(name, pieces, gathered, alone=True))
            answers.append((gathered, ending))
            last = last_done(gathered.code("MESSAGELIMIT", ending), last)
        return answers

    async def _copy_and_expunge(self, texts: Sequence[tuple[str, UidSet | None]], name: bytes) -> Copied:
        answers = []
        concrete: list[tuple[str, UidSet | None]] = []
        for text, known in texts:
            concrete += [(text, known)] if known is not None else set_texts(await self._existing(text))
        for text, _ in concrete:
            gathered = Gathered(self._session)
            octets = text.encode("ascii")
            ending = await self._within_turn(Command("UID COPY", [b"UID COPY %b " % octets, name], gathered))
            answers.append((gathered, ending))
            await self._within_turn(
                Command("UID STORE", [b"UID STORE %b +FLAGS.SILENT (\\Deleted)" % octets])
            )
            await self._expunge(UidSet.read(octets) or UidSet())
        return _copied(answers)

    async def _existing(self, text: str) -> UidSet:
        """The UIDs that ``text`` stands for now: more may arrive between two commands."""
        return await self._search_within_turn(f"UID {text}".encode("ascii"))

    @at_once
    async def expunge(self, uids: Uids | None = None) -> None:
        """Remove messages that have ``\\Deleted``, for good (RFC 9051 6.4.3, 6.4.9).

        :param uids: only those among these messages; None for all in the mailbox.  Where the server can only
            expunge all, the flag is taken from the others before, and given back after.
        :raises CommandRefused: the server refuses it.
        """
        if uids is None:
            await self._send(Command("EXPUNGE", [b"EXPUNGE"], alone=True))
            return
        texts = await self._texts(uids)
        await self._knows()
        if self._session.has("UIDPLUS", "IMAP4REV2"):
            for text, _ in texts:
                await self._repeat("UID EXPUNGE", [b"UID EXPUNGE " + text.encode("ascii")])
            return
        for text, known in texts:
            await self._session.run(lambda text=text, known=known: self._expunge_only(text, known))  # type: ignore[misc]

    async def _expunge_only(self, text: str, known: UidSet | None) -> None:
        uids = known if known is not None else await self._existing(text)
        if uids:
            await self._expunge(uids)

    async def _expunge(self, uids: UidSet) -> None:
        """Expunge those of ``uids`` that have ``\\Deleted``, inside of a turn."""
        if self._session.has("UIDPLUS", "IMAP4REV2"):
            for text, _ in set_texts(uids):
                await self._within_turn(Command("UID EXPUNGE", [b"UID EXPUNGE " + text.encode("ascii")]))
            return
        others = await self._search_within_turn(b"DELETED") - uids
        kept = [text.encode("ascii") for text, _ in set_texts(others)]
        for octets in kept:
            await self._within_turn(
                Command("UID STORE", [b"UID STORE %b -FLAGS.SILENT (\\Deleted)" % octets])
            )
        try:
            await self._within_turn(Command("EXPUNGE", [b"EXPUNGE"]))
        finally:
            for octets in kept:
                await self._within_turn(
                    Command("UID STORE", [b"UID STORE %b +FLAGS.SILENT (\\Deleted)" % octets])
                )

    async def _search_within_turn(self, keys: bytes) -> UidSet:
        found, last, below = UidSet(), None, b""
        while True:
            gathered = Gathered(self._session)
            pieces = [b"UID SEARCH ", below, keys]
            ending = await self._within_turn(Command("UID SEARCH", pieces, gathered, ("SEARCH", "ESEARCH")))
            found |= search_result(gathered.data, self._session.limits).uids
            last = last_done(gathered.code("MESSAGELIMIT", ending), last)
            if last is None or last == 1:
                return found
            below = b"UID 1:%d " % (last - 1)


def _message(message: NewMessage | Octets | Message) -> tuple[bytes, Content]:
    """What is before the literal, and the octets."""
    if not isinstance(message, NewMessage):
        if isinstance(message, Message):
            message = message.as_bytes(policy=message.policy.clone(linesep="\r\n", mangle_from_=False))
        if not isinstance(message, (bytes, Content)):
            raise wrong_type("each of messages", message, "a NewMessage, bytes, a Content or an EmailMessage")
        return b" ", Content.of(message)
    before = b" "
    if message.flags:
        before += flags_text(message.flags).encode("ascii") + b" "
    if message.internal_date is not None:
        before += internal_date(message.internal_date, message.zone) + b" "
    return before, message.content


def _header_of(content: Content) -> bytes:
    """The header section, as far as it is read anywhere."""
    end = content.find(b"\r\n\r\n", 0, HEADER_LIMIT)
    return content[: HEADER_LIMIT if end < 0 else end]


def _appended(endings: list[StatusResponse]) -> AppendedTo:
    validity = 0
    uids: list[int] = []
    for ending in endings:
        words = ending.arguments.split()
        if ending.code == "APPENDUID" and len(words) == 2:
            validity = number_of(words[0]) or 0
            uids += ordered_uids(words[1])
    return AppendedTo(validity, tuple(uids))


def _copied(answers: list[tuple[Gathered, StatusResponse]]) -> Copied:
    validity = 0
    source: list[int] = []
    target: list[int] = []
    for gathered, ending in answers:
        words = (gathered.code("COPYUID", ending) or b"").split()
        if len(words) == 3:
            validity = number_of(words[0]) or 0
            source += ordered_uids(words[1])
            target += ordered_uids(words[2])
    return Copied(validity, tuple(source), tuple(target))
