"""LIST, LSUB, NAMESPACE (RFC 9051 6.3.9, 6.3.10; RFC 3501 6.3.8, 6.3.9; RFC 5258, 5819, 6154).

An account may have very many names.  They are looked at in batches, between which others have their turn, and
the client gets the responses in pieces, as fast as it reads.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from heapq import merge
from typing import Final

from mailproto.awaiting import settle
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._options import ListSelection
from mailproto.imap.server._patterns import Patterns
from mailproto.imap.server._registry import tables_of
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import Command, List, Lsub, grammars
from mailproto.model import DELIMITER, MailboxEntry

__all__ = ["LISTING", "attributes_of"]

_DELIMITER: Final = DELIMITER.encode("ascii")

_NAMES_AT_ONCE: Final = 8
"""To compare one name with the longest patterns takes half a millisecond."""

_RESPONSES_AT_ONCE: Final = 25
"""To render the longest name takes a sixth of a millisecond."""

_OCTETS_AT_ONCE: Final = 1 << 16
"""Octets of responses that are collected before they are sent."""


async def list_mailboxes(server: Session, command: Command[List]) -> None:
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

    def __init__(self, server: Session, arguments: List) -> None:
        self._server = server
        self._arguments = arguments
        self._matches = Patterns(arguments.reference + pattern for pattern in arguments.patterns).matches
        tables = tables_of(server)
        self._chosen = _chosen([tables.list_selection[name] for name in sorted(arguments.selection)])
        self._returns = [(tables.list_returns[name], value) for name, value in arguments.returns.items()]
        self._above: Container[str] = ()  # the superiors of chosen mailboxes, if they matter

    async def find(self, entries: Sequence[MailboxEntry]) -> Iterable[MailboxEntry]:
        """The entries to be listed, sorted."""
        found = array("I")  # where they are: the store may make each entry only when it is looked at
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
        mailboxes = _Mailboxes()
        async for batch in server.in_batches(entries):
            mailboxes.add(batch)
        holders = _Above(mailboxes.names())
        child_info = b' ("CHILDINFO" (%b))' % b" ".join(
            b'"%b"' % option.encode("ascii")
            for option in sorted(arguments.selection)
            if tables_of(server).list_selection[option].chooses is not None
        )
        show_subscribed = "SUBSCRIBED" in arguments.selection
        returns = self._returns
        writer = _Writer(server)
        async for batch in server.in_batches(found, _RESPONSES_AT_ONCE):
            for entry in batch:
                name = entry.name
                attributes = self._attributes(entry, name in holders, show_subscribed)
                info = child_info if name in self._above else b""
                await writer.write(
                    b'* LIST (%b) "%b" %b%b\r\n' % (attributes, _DELIMITER, server.encoded(name), info)
                )
            telling = [entry for entry in batch if self._chosen(entry)] if returns else ()
            for option, value in returns:
                if option.responses is not None:
                    async for response in option.responses(server, telling, value):
                        await writer.write(response)

    def _attributes(self, entry: MailboxEntry, has_inferiors: bool, show_subscribed: bool) -> bytes:
        attributes = attributes_of(entry, has_inferiors, show_subscribed)
        for option, _ in self._returns:
            if option.attributes is not None:
                attributes.update(dict.fromkeys(option.attributes(entry)))
        return " ".join(attributes).encode("ascii")


async def list_subscribed(server: Session, command: Command[Lsub]) -> None:
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
            await writer.write(b'* LSUB (%b) "%b" %b\r\n' % (found[name], _DELIMITER, server.encoded(name)))


class _Writer:
    """Sends responses in pieces."""

    def __init__(self, server: Session) -> None:
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


def _chosen(selection: Sequence[ListSelection]) -> Callable[[MailboxEntry], bool]:
    """Return a test: whether all selection options choose a mailbox (RFC 5258 3.1)."""
    tests = [option.chooses for option in selection if option.chooses is not None]
    missing = any(option.missing for option in selection)

    def chosen(entry: MailboxEntry) -> bool:
        return (entry.exists or missing) and all(test(entry) for test in tests)

    return chosen


class _Mailboxes:
    """Collects the names of existing mailboxes, but none that only holds others, which may be very long."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._holders: list[str] = []  # names that cannot be selected, each above the next one
        self._is_sorted = True

    def add(self, entries: Iterable[MailboxEntry]) -> None:
        """Add some of them, in their order."""
        for entry in entries:
            if not entry.exists:
                continue
            if self._holders:
                self._leave(entry.name)
            (self._names if entry.selectable else self._holders).append(entry.name)

    def _leave(self, name: str) -> None:
        """Names that are not above ``name``, and will be above none, are mailboxes that may not be read."""
        while self._holders and not name.startswith(self._holders[-1]):
            self._names.append(self._holders.pop())
            self._is_sorted = False
        if self._holders and name.startswith(self._holders[-1] + DELIMITER):
            self._holders.pop()

    def names(self) -> Sequence[str]:
        """All of them, sorted."""
        if self._holders or not self._is_sorted:
            self._names = sorted([*self._names, *self._holders])
        return self._names


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


def attributes_of(entry: MailboxEntry, has_inferiors: bool, show_subscribed: bool) -> dict[str, None]:
    """The attributes of a name, in the order in which they are told."""
    attributes: dict[str, None] = {}
    if not entry.exists:
        attributes["\\NonExistent"] = None
    elif not entry.selectable:
        attributes["\\Noselect"] = None
    attributes["\\HasChildren" if has_inferiors else "\\HasNoChildren"] = None
    if show_subscribed and entry.subscribed:
        attributes["\\Subscribed"] = None
    attributes.update(dict.fromkeys(sorted(entry.special_use)))
    return attributes


LISTING = Extension(
    "LIST and LSUB",
    commands=(
        CommandSpec("LIST", grammars.list_mailboxes, list_mailboxes),
        CommandSpec("LSUB", grammars.lsub, list_subscribed),
    ),
)
"""LIST and LSUB, without the options of extensions."""
