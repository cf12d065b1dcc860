"""The commands that change the list of mailboxes, and NAMESPACE."""

from __future__ import annotations

import re

from mailproto._arguments import check_type, wrong_value
from mailproto.imap.client._answer_data import list_entry, mailbox_name, values_of
from mailproto.imap.client._command import Command
from mailproto.imap.client._gathering import at_once
from mailproto.imap.client._listing import ListCommands
from mailproto.imap.client._mailbox_values import Namespace, Namespaces
from mailproto.imap.wire._values import Value, octets_of, text_of
from mailproto.model import INBOX

__all__ = ["MailboxCommands"]

_ATTRIBUTE = re.compile(r"\\[A-Za-z0-9-]+")


class MailboxCommands(ListCommands):
    """The commands that change the list of mailboxes."""

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
        await self._send(Command("CREATE", pieces))

    @at_once
    async def delete(self, mailbox: str) -> None:
        """DELETE a mailbox with its messages (RFC 9051 6.3.5).  :raises CommandRefused: refused."""
        await self._send(Command("DELETE", [b"DELETE ", self._name(mailbox)]))

    @at_once
    async def rename(self, mailbox: str, new_name: str) -> None:
        """RENAME a mailbox (RFC 9051 6.3.6).  :raises CommandRefused: refused."""
        await self._send(Command("RENAME", [b"RENAME ", self._name(mailbox), b" ", self._name(new_name)]))

    @at_once
    async def subscribe(self, mailbox: str) -> None:
        """SUBSCRIBE to a mailbox (RFC 9051 6.3.7).  :raises CommandRefused: refused."""
        await self._send(Command("SUBSCRIBE", [b"SUBSCRIBE ", self._name(mailbox)]))

    @at_once
    async def unsubscribe(self, mailbox: str) -> None:
        """UNSUBSCRIBE from a mailbox (RFC 9051 6.3.8).  :raises CommandRefused: refused."""
        await self._send(Command("UNSUBSCRIBE", [b"UNSUBSCRIBE ", self._name(mailbox)]))

    @at_once
    async def name_of(self, *levels: str) -> str:
        """The name of a mailbox of the user's own, with the prefix and the delimiter that the server wants::

            await client.create(await client.name_of("Projects", "2024"))  # perhaps INBOX.Projects.2024

        :param levels: from the outermost one on.
        :raises ValueError: the server has no levels, or its delimiter is in one of them.
        """
        for level in levels:
            check_type("level", level, str, "a str")
        if not levels or not all(levels):
            raise wrong_value("levels", levels, "names such as 'Projects' and '2024'")
        if levels == (INBOX,):
            return INBOX
        await self._knows()
        session = self._session
        if session.personal is None:
            session.personal = await self._personal()
        prefix, delimiter = session.personal.prefix, session.personal.delimiter
        if len(levels) > 1 and not delimiter:
            raise ValueError("levels must be one: the server's mailboxes have no levels")
        if delimiter and any(delimiter in level for level in levels):
            raise wrong_value("levels", levels, f"names without {delimiter!r}, which separates levels")
        name = delimiter.join(levels)
        return name if levels[0].upper() == INBOX else prefix + name

    async def _personal(self) -> Namespace:
        for namespace in (await self.namespace()).personal:
            return namespace
        for data in await self._ask("LIST", [b'LIST "" ""'], "LIST"):
            entry = list_entry(data, self._session.limits, utf8=self._session.utf8)
            if entry is not None:
                return Namespace("", entry.delimiter)
        return Namespace("", "")

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


def _namespaces(value: Value, *, utf8: bool) -> tuple[Namespace, ...]:
    if not isinstance(value, list):
        return ()
    pairs = [each for each in value if isinstance(each, list) and len(each) >= 2]
    return tuple(
        Namespace(mailbox_name(octets_of(each[0]) or b"", utf8=utf8), text_of(each[1])) for each in pairs
    )
