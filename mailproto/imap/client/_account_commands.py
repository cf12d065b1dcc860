"""The commands about an account: quotas, rights, annotations, and what the server shall tell unasked."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Literal as OneOf

from mailproto._arguments import (
    check_bool,
    check_choice,
    check_mapping,
    check_type,
    check_whole,
    wrong_value,
)
from mailproto.imap.client._answer_data import annotations_of, rights_of, values_of
from mailproto.imap.client._command import Command, Literal, Piece
from mailproto.imap.client._core import ClientCore
from mailproto.imap.client._gathering import at_once, check_several
from mailproto.imap.client._mailbox_values import QuotaRoot
from mailproto.imap.client._searching import string_piece
from mailproto.imap.wire._answers import Data
from mailproto.imap.wire._values import Value, number_of, text_of

__all__ = ["AccountCommands", "annotation_entries"]

_ENTRY = re.compile(r"/[!#-$&-'+-\[\]-~]+")
_RIGHTS = re.compile(r"[+-]?[a-z0-9]*")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


class AccountCommands(ClientCore):
    """The commands about an account."""

    # -- quotas (RFC 9208)

    @at_once
    async def quota(self, mailbox: str = "INBOX") -> Sequence[QuotaRoot]:
        """GETQUOTAROOT: what is used and allowed, of the quotas that a mailbox counts for.

        :raises NotOffered: the server has no quotas.
        :raises CommandRefused: there is no such mailbox, or the server refuses it.
        """
        await self._needs("QUOTA")
        return self._quotas(
            await self._ask("GETQUOTAROOT", [b"GETQUOTAROOT ", self._name(mailbox)], "QUOTA", "QUOTAROOT")
        )

    @at_once
    async def set_quota(self, root: str, limits: Mapping[str, int]) -> Sequence[QuotaRoot]:
        """SETQUOTA: change what is allowed; for administrators.

        :param limits: by resource, such as ``{"STORAGE": 10_240}``; those that are not there have no limit.
        :raises NotOffered, CommandRefused: as `quota`.
        """
        check_mapping("limits", limits)
        for name, limit in limits.items():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise wrong_value("limits", name, "resources such as 'STORAGE'")
            check_whole(name, limit)
        await self._needs("QUOTASET", "QUOTA")
        text = " ".join(f"{name} {limit}" for name, limit in limits.items())
        pieces = [b"SETQUOTA ", string_piece(root), f" ({text})".encode("ascii")]
        return self._quotas(await self._ask("SETQUOTA", pieces, "QUOTA"))

    def _quotas(self, answers: list[Data]) -> Sequence[QuotaRoot]:
        found = []
        for data in answers:
            values = values_of(data, self._session.limits)
            if data.name == "QUOTA" and len(values) >= 2 and isinstance(values[-1], list):
                items: list[Value] = values[-1]
                triples = zip(items[::3], items[1::3], items[2::3], strict=False)
                used = {
                    text_of(name).upper(): (number_of(usage) or 0, number_of(limit) or 0)
                    for name, usage, limit in triples
                }
                found.append(QuotaRoot(text_of(values[0]), used))
        return tuple(found)

    # -- rights (RFC 4314)

    @at_once
    async def my_rights(self, mailbox: str) -> str:
        """MYRIGHTS: what this user may do in a mailbox, such as ``lrswi``.

        :raises NotOffered: the server has no access control lists.
        :raises CommandRefused: there is no such mailbox, or the server refuses it.
        """
        await self._needs("ACL")
        limits, utf8 = self._session.limits, self._session.utf8
        told = await self._ask_of(
            mailbox,
            "MYRIGHTS",
            [b"MYRIGHTS ", self._name(mailbox)],
            "MYRIGHTS",
            lambda data: rights_of(data, limits, utf8=utf8),
        )
        return told[-1] if told else ""

    @at_once
    async def acl(self, mailbox: str) -> Mapping[str, str]:
        """GETACL: who may do what in a mailbox: rights, by the names of users and groups.

        :raises NotOffered, CommandRefused: as `my_rights`.
        """
        await self._needs("ACL")
        found: dict[str, str] = {}
        for data in await self._ask("GETACL", [b"GETACL ", self._name(mailbox)], "ACL"):
            values = values_of(data, self._session.limits)[1:]
            pairs = zip(values[::2], values[1::2], strict=False)
            found.update((text_of(name), text_of(rights)) for name, rights in pairs)
        return found

    @at_once
    async def set_acl(self, mailbox: str, identifier: str, rights: str) -> None:
        """SETACL: let a user or a group have these rights in a mailbox.

        :param rights: such as ``lrs``; with ``+`` or ``-`` before, to add or to remove them; ``""`` for none.
        :raises NotOffered, CommandRefused: as `my_rights`.
        """
        check_type("rights", rights, str, "a str such as 'lrs'")
        if not _RIGHTS.fullmatch(rights):
            raise wrong_value("rights", rights, "letters such as 'lrs'")
        name, who = self._name(mailbox), string_piece(identifier)
        await self._needs("ACL")
        await self._send(Command("SETACL", [b"SETACL ", name, b" ", who, b" ", string_piece(rights)]))

    @at_once
    async def delete_acl(self, mailbox: str, identifier: str) -> None:
        """DELETEACL: take a user or a group out of the list of a mailbox.

        :raises NotOffered, CommandRefused: as `my_rights`.
        """
        name, who = self._name(mailbox), string_piece(identifier)
        await self._needs("ACL")
        await self._send(Command("DELETEACL", [b"DELETEACL ", name, b" ", who]))

    @at_once
    async def list_rights(self, mailbox: str, identifier: str) -> tuple[str, Sequence[str]]:
        """LISTRIGHTS: which rights a user or a group may be given in a mailbox.

        :returns: those that it always has, and then the others: rights in one text come together.
        :raises NotOffered, CommandRefused: as `my_rights`.
        """
        name, who = self._name(mailbox), string_piece(identifier)
        await self._needs("ACL")
        always = ""
        others: list[str] = []
        for data in await self._ask("LISTRIGHTS", [b"LISTRIGHTS ", name, b" ", who], "LISTRIGHTS"):
            texts = [text_of(value) for value in values_of(data, self._session.limits)[2:]]
            if texts:
                always, *others = texts
        return always, tuple(others)

    # -- annotations (RFC 5464)

    @at_once
    async def metadata(
        self, mailbox: str, *entries: str, depth: OneOf["0", "1", "infinity"] = "0"
    ) -> Mapping[str, bytes | None]:
        """GETMETADATA: annotations of a mailbox, or of the server.

        :param mailbox: ``""`` for the server's own.
        :param entries: such as ``/private/comment``.
        :param depth: whether entries below these are wanted, too.
        :returns: values by entry in lower case; None for one that has none.
        :raises NotOffered: the server has no annotations.
        :raises CommandRefused: the server refuses it.
        """
        wanted = " ".join(annotation_entries(entries))
        check_choice("depth", depth, ("0", "1", "infinity"))
        if not entries:
            raise ValueError("entries must be at least one")
        await self._needs("METADATA", *([] if mailbox else ["METADATA-SERVER"]))
        options = b"" if depth == "0" else b"(DEPTH %b) " % depth.encode("ascii")
        # In RFC 5464 the options come first; its errata, and all servers, agree.
        pieces: list[Piece] = [b"GETMETADATA ", options, self._metadata_name(mailbox)]
        pieces.append(f" ({wanted})".encode("ascii"))
        limits, utf8 = self._session.limits, self._session.utf8
        told = await self._ask_of(
            mailbox, "GETMETADATA", pieces, "METADATA", lambda data: annotations_of(data, limits, utf8=utf8)
        )
        return {entry: value for values in told for entry, value in values.items()}

    @at_once
    async def set_metadata(self, mailbox: str, entries: Mapping[str, bytes | None]) -> None:
        """SETMETADATA: set annotations of a mailbox, or of the server.

        :param entries: values by entry; None removes one.
        :raises NotOffered, CommandRefused: as `metadata`.
        """
        check_mapping("entries", entries)
        annotation_entries(entries)
        pieces: list[Piece] = [b"SETMETADATA ", self._metadata_name(mailbox), b" ("]
        for entry, value in entries.items():
            check_type("value", value, (bytes, type(None)), "bytes or None")
            pieces.append(entry.encode("ascii") + b" ")
            pieces.append(b"NIL" if value is None else Literal(value, binary=b"\0" in value))
            pieces.append(b" ")
        if not entries:
            raise ValueError("entries must be at least one")
        pieces[-1] = b")"
        await self._needs("METADATA", *([] if mailbox else ["METADATA-SERVER"]))
        await self._send(Command("SETMETADATA", pieces))

    def _metadata_name(self, mailbox: str) -> bytes:
        return self._name(mailbox) if mailbox else b'""'

    # -- what the server tells unasked (RFC 5465)

    @at_once
    async def notify(
        self,
        *,
        selected: Collection[str] = (),
        inboxes: Collection[str] = (),
        personal: Collection[str] = (),
        subscribed: Collection[str] = (),
        status: bool = False,
    ) -> None:
        """NOTIFY: what the server shall tell unasked, at any time; without arguments, nothing at all::

            events = {"MessageNew", "MessageExpunge", "FlagChange"}
            await client.notify(selected=events, personal={"MessageNew", "MessageExpunge", "MailboxName"})

        What it tells comes to the listener and to `IMAPClient.idle`.

        :param selected: events of the selected mailbox.
        :param inboxes: of mailboxes in which new mail may arrive.
        :param personal: of all of the user's own mailboxes.
        :param subscribed: of those that are subscribed.
        :param status: whether the server tells the state of these mailboxes now.
        :raises NotOffered: the server does not have it.
        :raises CommandRefused: the server refuses it.
        """
        check_bool("status", status)
        groups = {
            "SELECTED": selected,
            "INBOXES": inboxes,
            "PERSONAL": personal,
            "SUBSCRIBED": subscribed,
        }
        texts = []
        for name, events in groups.items():
            for event in events:
                if not isinstance(event, str) or not _NAME.fullmatch(event):
                    raise wrong_value("event", event, "an event such as 'MessageNew'")
            if events:
                texts.append(f"({name} ({' '.join(sorted(events))}))")
        await self._needs("NOTIFY")
        text = f"SET {'STATUS ' if status else ''}{' '.join(texts)}" if texts else "NONE"
        await self._send(Command("NOTIFY", [f"NOTIFY {text}".encode("ascii")]))


def annotation_entries(entries: Collection[str]) -> tuple[str, ...]:
    """The names of annotations.

    :raises TypeError, ValueError: something is none.
    """
    check_several("entries", entries, "/private/comment")
    for entry in entries:
        if not isinstance(entry, str) or not _ENTRY.fullmatch(entry):
            raise wrong_value("entry", entry, "an entry such as '/private/comment'")
    return tuple(entries)
