"""LIST, LSUB, NAMESPACE (RFC 9051 6.3.9, 6.3.10; RFC 3501 6.3.8, 6.3.9; RFC 5258, 5819, 6154).

An account may have very many names.  They are looked at in batches, between which others have their turn, and
the client gets the responses in pieces, as fast as it reads.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from heapq import merge
from typing import TYPE_CHECKING, Final

from mailproto.awaiting import settle
from mailproto.imap.server._mailbox_commands import render_status
from mailproto.imap.server._patterns import Patterns
from mailproto.imap.wire import Command, List, Lsub, NoArguments, encode_mailbox
from mailproto.model import DELIMITER, MailboxEntry

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = ["list_mailboxes", "list_subscribed", "namespace"]

_DELIMITER: Final = DELIMITER.encode("ascii")

_NAMES_AT_ONCE: Final = 8
"""To compare one name with the longest patterns takes half a millisecond."""

_RESPONSES_AT_ONCE: Final = 25
"""To render the longest name takes a sixth of a millisecond."""

_OCTETS_AT_ONCE: Final = 1 << 16
"""Octets of responses that are collected before they are sent."""


async def namespace(server: IMAPServer, command: Command[NoArguments]) -> None:
    """One personal namespace, without a prefix (RFC 2342 5)."""
    server.respond(b'* NAMESPACE (("" "%b")) NIL NIL\r\n' % _DELIMITER)


async def list_mailboxes(server: IMAPServer, command: Command[List]) -> None:
    """LIST, basic and extended."""
    arguments = command.arguments
    if arguments.patterns == ("",) and not arguments.extended:
        # Only the delimiter is asked for (RFC 3501 6.3.8).
        server.respond(b'* LIST (\\Noselect) "%b" ""\r\n' % _DELIMITER)
        return
    listing = _Listing(server, arguments)
    await server.wait_turn()
    entries = await settle(server.signed_in.list())
    found = await listing.find(entries)
    if found:
        await listing.respond(found, entries)


class _Listing:
    """One LIST command."""

    def __init__(self, server: IMAPServer, arguments: List) -> None:
        self._server = server
        self._arguments = arguments
        self._matches = Patterns(arguments.reference + pattern for pattern in arguments.patterns).matches
        self._chosen = _chosen(arguments.selection)
        self._above: Container[str] = ()  # the superiors of chosen mailboxes, if they matter

    async def find(self, entries: Sequence[MailboxEntry]) -> Iterable[MailboxEntry]:
        """The entries to be listed, sorted."""
        found = array("I")  # where they are: the store may make each entry when somebody looks at it
        matches, chosen = self._matches, self._chosen
        if "RECURSIVEMATCH" in self._arguments.selection:
            return await self._find_recursively(entries)
        start = 0
        async for batch in self._server.in_batches(entries, _NAMES_AT_ONCE):
            found.extend(at for at, entry in enumerate(batch, start) if matches(entry.name) and chosen(entry))
            start += len(batch)
        return map(entries.__getitem__, found) if found else ()

    async def _find_recursively(self, entries: Sequence[MailboxEntry]) -> Sequence[MailboxEntry]:
        """The same, and the superiors of chosen mailboxes, even if they do not exist (RFC 5258 3.5).

        A superior that is not chosen is listed only if it tells something new: below it, there is a chosen
        mailbox that is not listed.
        """
        chosen: list[MailboxEntry] = []
        others: list[MailboxEntry] = []
        names: list[str] = []  # of chosen mailboxes
        hidden: list[str] = []  # of those that are not listed
        known: set[str] = set()
        async for batch in self._server.in_batches(entries, _NAMES_AT_ONCE):
            for entry in batch:
                known.add(entry.name)
                matches, is_chosen = self._matches(entry.name), self._chosen(entry)
                if is_chosen:
                    names.append(entry.name)
                    if not matches:
                        hidden.append(entry.name)
                if matches:
                    (chosen if is_chosen else others).append(entry)
        self._above, above_hidden = _Above(names), _Above(hidden)
        missing: list[MailboxEntry] = []
        async for some in self._server.in_batches(_superiors(hidden), _NAMES_AT_ONCE):
            missing += [
                MailboxEntry(name, selectable=False, exists=False)
                for name in some
                if name not in known and self._matches(name)
            ]
        missing.sort(key=_name)
        telling: list[MailboxEntry] = []
        async for others_here in self._server.in_batches(others):
            telling += [entry for entry in others_here if entry.name in above_hidden]
        return list(merge(chosen, telling, missing, key=_name))

    async def respond(self, found: Iterable[MailboxEntry], entries: Sequence[MailboxEntry]) -> None:
        """Send the responses for the entries that were ``found``."""
        server, arguments = self._server, self._arguments
        mailboxes: list[str] = []
        async for batch in server.in_batches(entries):
            mailboxes += [entry.name for entry in batch if entry.selectable]
        holders = _Above(mailboxes)
        child_info = b' ("CHILDINFO" (%b))' % b" ".join(
            b'"%b"' % option.encode("ascii")
            for option in sorted(arguments.selection - {"RECURSIVEMATCH", "REMOTE"})
        )
        show_subscribed = "SUBSCRIBED" in arguments.selection or "SUBSCRIBED" in arguments.returns
        writer = _Writer(server)
        async for batch in server.in_batches(found, _RESPONSES_AT_ONCE):
            for entry in batch:
                name = entry.name
                attributes = _attributes(entry, name in holders, show_subscribed)
                info = child_info if name in self._above else b""
                await writer.write(
                    b'* LIST (%b) "%b" %b%b\r\n' % (attributes, _DELIMITER, encode_mailbox(name), info)
                )
            if "STATUS" in arguments.returns:
                await self._respond_status(batch, writer)

    async def _respond_status(self, batch: Sequence[MailboxEntry], writer: _Writer) -> None:
        """Answer STATUS of those that can be selected, with one query (RFC 5819 2)."""
        names = [entry.name for entry in batch if entry.selectable]
        found = await settle(self._server.signed_in.status(names))
        for name in names:
            if name in found:
                await writer.write(render_status(name, found[name], self._arguments.status_items))


async def list_subscribed(server: IMAPServer, command: Command[Lsub]) -> None:
    """LSUB (RFC 3501 6.3.9): subscribed names, whether their mailboxes exist or not.

    If ``%`` matches a name that is not subscribed, but that has a subscribed inferior, the name is
    shown as ``\\Noselect``.
    """
    arguments = command.arguments
    if arguments.patterns == ("",):
        server.respond(b'* LSUB (\\Noselect) "%b" ""\r\n' % _DELIMITER)
        return
    matches = Patterns(arguments.reference + pattern for pattern in arguments.patterns).matches
    has_levels = any("%" in pattern for pattern in arguments.patterns)
    found: dict[str, bytes] = {}
    subscribed: list[str] = []
    await server.wait_turn()
    async for batch in server.in_batches(await settle(server.signed_in.list()), _NAMES_AT_ONCE):
        for entry in batch:
            if not entry.subscribed:
                continue
            subscribed.append(entry.name)
            if matches(entry.name):
                found[entry.name] = b"" if entry.selectable else b"\\Noselect"
    if has_levels:
        async for names in server.in_batches(_superiors(subscribed), _NAMES_AT_ONCE):
            for name in names:
                if matches(name):
                    found.setdefault(name, b"\\Noselect")
    writer = _Writer(server)
    async for names in server.in_batches(sorted(found), _RESPONSES_AT_ONCE):
        for name in names:
            await writer.write(b'* LSUB (%b) "%b" %b\r\n' % (found[name], _DELIMITER, encode_mailbox(name)))


class _Writer:
    """Sends responses in pieces."""

    def __init__(self, server: IMAPServer) -> None:
        self._server = server
        self._octets = 0

    async def write(self, response: bytes) -> None:
        """Add a response."""
        self._server.respond(response)
        self._octets += len(response)
        if self._octets > _OCTETS_AT_ONCE:
            self._octets = 0
            await self._server.flush()


def _name(entry: MailboxEntry) -> str:
    return entry.name


def _chosen(selection: frozenset[str]) -> Callable[[MailboxEntry], bool]:
    """Return a test: whether the selection options choose a mailbox (RFC 5258 3.1, RFC 6154 5.2)."""
    subscribed, special = "SUBSCRIBED" in selection, "SPECIAL-USE" in selection

    def chosen(entry: MailboxEntry) -> bool:
        if special and not entry.special_use:
            return False
        return entry.subscribed if subscribed else entry.exists

    return chosen


class _Above(Container[str]):
    """The names above some ``names`` in the hierarchy, at any height.

    :param names: sorted.  A set of all names above them could have thirty times as many octets.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def __contains__(self, name: object) -> bool:
        beginning = f"{name}{DELIMITER}"
        at = bisect_left(self._names, beginning)
        return at < len(self._names) and self._names[at].startswith(beginning)


def _superiors(names: Sequence[str]) -> Iterator[str]:
    """The names above ``names``, which are sorted: those below one name follow each other."""
    before = ""
    for name in names:
        for superior in _up(name):
            if before.startswith(superior + DELIMITER):
                break
            yield superior
        before = name


def _up(name: str) -> Iterator[str]:
    """The names above ``name``, the nearest first."""
    at = name.rfind(DELIMITER)
    while at >= 0:
        yield name[:at]
        at = name.rfind(DELIMITER, 0, at)


def _attributes(entry: MailboxEntry, has_inferiors: bool, show_subscribed: bool) -> bytes:
    attributes = []
    if not entry.exists:
        attributes.append("\\NonExistent")
    elif not entry.selectable:
        attributes.append("\\Noselect")
    attributes.append("\\HasChildren" if has_inferiors else "\\HasNoChildren")
    if show_subscribed and entry.subscribed:
        attributes.append("\\Subscribed")
    attributes += sorted(entry.special_use)
    return " ".join(attributes).encode("ascii")
