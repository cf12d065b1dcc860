"""LIST and STATUS: which mailboxes there are, and what is in them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from twisted.internet.defer import Deferred

from mailproto._arguments import check_bool, check_type, wrong_value
from mailproto.client.errors import CommandRefused
from mailproto.imap.client._account_commands import AccountCommands, annotation_entries
from mailproto.imap.client._answer_data import annotations_of, list_entry, rights_of, status_of
from mailproto.imap.client._gathering import at_once, check_several, each_of
from mailproto.imap.client._mailbox_values import MailboxCounts, MailboxInfo
from mailproto.imap.wire._answers import Data

__all__ = ["ListCommands"]

_TOGETHER = 100  # commands about one mailbox that are under way together


class ListCommands(AccountCommands):
    """The commands that tell of mailboxes."""

    @at_once
    async def list(
        self,
        pattern: str = "*",
        reference: str = "",
        *,
        subscribed: bool = False,
        special_use: bool = False,
        status: Collection[str] = (),
        rights: bool = False,
        metadata: Collection[str] = (),
    ) -> Sequence[MailboxInfo]:
        """LIST: the mailboxes whose names match (RFC 9051 6.3.9), with what the server tells of them.

        What is wanted of each mailbox comes with the list if the server can do that, and is asked for one by
        one if not; what the server does not tell is None, or left out.

        :param pattern: ``*`` stands for any text, ``%`` for any text within a level.
        :param subscribed: only those that are subscribed.
        :param special_use: only those with a special use (RFC 6154).
        :param status: what is wanted in ``counts`` of each, as for `status` (RFC 5819).
        :param rights: whether the user's own rights are wanted, as of `my_rights` (RFC 8440).
        :param metadata: the annotations that are wanted, as for `metadata` (RFC 9590).
        :raises CommandRefused: the server refuses it.
        """
        items = self._status_items(status) if status else ()
        check_bool("rights", rights)
        entries = annotation_entries(metadata)
        await self._knows()
        has = self._session.has
        extended = has("LIST-EXTENDED", "IMAP4REV2")
        selection = ["SUBSCRIBED"] if extended and subscribed else []
        returns: list[str] = []
        if extended:
            returns += ["SUBSCRIBED", "CHILDREN"]
            if has("SPECIAL-USE", "IMAP4REV2"):
                returns.append("SPECIAL-USE")
                selection += ["SPECIAL-USE"] if special_use else []
        name = "LSUB" if subscribed and not extended else "LIST"
        names = [name]
        later: list[Callable[[MailboxInfo], Deferred[MailboxInfo]]] = []
        if items and extended and has("LIST-STATUS", "IMAP4REV2"):
            returns.append(f"STATUS ({' '.join(items)})")
            names.append("STATUS")
        elif items:
            later.append(lambda entry: self._with_status(entry, items))
        if rights and extended and has("LIST-MYRIGHTS"):
            returns.append("MYRIGHTS")
            names.append("MYRIGHTS")
        elif rights and has("ACL"):
            later.append(self._with_rights)
        if entries and extended and has("LIST-METADATA"):
            returns.append(f"METADATA ({' '.join(entries)})")
            names.append("METADATA")
        elif entries and has("METADATA"):
            later.append(lambda entry: self._with_metadata(entry, entries))
        pieces = [name.encode("ascii")]
        if selection:
            pieces.append(f" ({' '.join(selection)})".encode("ascii"))
        pieces += [b" ", self._name(reference), b" ", self._pattern(pattern)]
        if returns:
            pieces.append(f" RETURN ({' '.join(returns)})".encode("ascii"))
        found = self._entries(await self._ask(name, pieces, *names, wanted=self._is_listed))
        if special_use:
            found = [each for each in found if each.special_use]
        if name == "LSUB":
            found = [replace(each, attributes=each.attributes | {"\\Subscribed"}) for each in found]
        for complete in later:
            slices = [found[start : start + _TOGETHER] for start in range(0, len(found), _TOGETHER)]
            found = []
            for some in slices:
                found += await each_of([complete(each) for each in some])
        return found

    def _is_listed(self, data: Data) -> bool:
        """Whether it may come with a list: METADATA without values is told unasked."""
        return data.name != "METADATA" or annotations_of(data, self._session.limits, utf8=False) is not None

    def _entries(self, answers: Sequence[Data]) -> Sequence[MailboxInfo]:
        limits, utf8 = self._session.limits, self._session.utf8
        found: dict[str, MailboxInfo] = {}
        for data in answers:
            if data.name in ("LIST", "LSUB"):
                entry = list_entry(data, limits, utf8=utf8)
                if entry is not None and entry.name:
                    found.setdefault(entry.name, entry)
            elif data.name == "STATUS":
                status = status_of(data, limits, utf8=utf8)
                if status is not None and (entry := found.get(status[0])) is not None:
                    found[entry.name] = replace(entry, counts=status[1])
            elif data.name == "MYRIGHTS":
                rights = rights_of(data, limits, utf8=utf8)
                if rights is not None and (entry := found.get(rights[0])) is not None:
                    found[entry.name] = replace(entry, rights=rights[1])
            else:
                values = annotations_of(data, limits, utf8=utf8)
                if values is not None and (entry := found.get(values[0])) is not None:
                    found[entry.name] = replace(entry, metadata={**entry.metadata, **values[1]})
        return tuple(found.values())

    @at_once
    async def _with_status(self, entry: MailboxInfo, items: Sequence[str]) -> MailboxInfo:
        if not entry.is_selectable:
            return entry
        try:
            return replace(entry, counts=await self.status(entry.name, *items))
        except CommandRefused:  # it may be gone, or not be readable
            return entry

    @at_once
    async def _with_rights(self, entry: MailboxInfo) -> MailboxInfo:
        if entry.has("\\NonExistent"):
            return entry
        try:
            return replace(entry, rights=await self.my_rights(entry.name))
        except CommandRefused:
            return entry

    @at_once
    async def _with_metadata(self, entry: MailboxInfo, entries: Sequence[str]) -> MailboxInfo:
        if entry.has("\\NonExistent"):
            return entry
        try:
            return replace(entry, metadata=await self.metadata(entry.name, *entries))
        except CommandRefused:
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
        limits, utf8 = self._session.limits, self._session.utf8
        wanted = f" ({' '.join(self._status_items(items))})".encode("ascii")
        told = await self._ask_of(
            mailbox,
            "STATUS",
            [b"STATUS ", self._name(mailbox), wanted],
            "STATUS",
            lambda data: status_of(data, limits, utf8=utf8),
        )
        return told[-1] if told else MailboxCounts()

    def _status_items(self, items: Collection[str]) -> tuple[str, ...]:
        check_several("status", items, "MESSAGES")
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
