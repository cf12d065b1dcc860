"""LIST, LSUB, NAMESPACE (RFC 9051 6.3.9, 6.3.10; RFC 3501 6.3.8, 6.3.9; RFC 5258, 5819, 6154)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from mailproto.awaiting import settle
from mailproto.imap.server._mailbox_commands import render_status
from mailproto.imap.server._patterns import Pattern
from mailproto.imap.wire import Command, List, Lsub, NoArguments, encode_mailbox
from mailproto.model import DELIMITER, MailboxEntry

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = ["list_mailboxes", "list_subscribed", "namespace"]

_DELIMITER = DELIMITER.encode("ascii")


async def namespace(server: IMAPServer, command: Command[NoArguments]) -> None:
    """One personal namespace, without a prefix (RFC 2342 5)."""
    server.respond(b'* NAMESPACE (("" "%b")) NIL NIL\r\n' % _DELIMITER)


async def list_mailboxes(server: IMAPServer, command: Command[List]) -> None:
    """LIST, basic and extended."""
    arguments = command.arguments
    selection, returns = arguments.selection, arguments.returns
    if arguments.patterns == ("",) and not arguments.extended:
        # Only the delimiter is asked for (RFC 3501 6.3.8).
        server.respond(b'* LIST (\\Noselect) "%b" ""\r\n' % _DELIMITER)
        return
    entries = {entry.name: entry for entry in await settle(server.signed_in.list())}
    chosen = _chosen(selection)
    matches = _matcher(arguments.reference, arguments.patterns)
    holders = _superiors(entry.name for entry in entries.values() if entry.exists)
    # RFC 5258 3.5: the superiors of chosen mailboxes are shown, even if they do not exist.
    above = (
        _superiors(entry.name for entry in entries.values() if chosen(entry))
        if "RECURSIVEMATCH" in selection
        else set()
    )
    child_info = b' ("CHILDINFO" (%b))' % b" ".join(
        b'"%b"' % option.encode("ascii") for option in sorted(selection - {"RECURSIVEMATCH", "REMOTE"})
    )
    show_subscribed = "SUBSCRIBED" in selection or "SUBSCRIBED" in returns
    listed = []
    for name in sorted(above.union(entries)):
        entry = entries.get(name) or MailboxEntry(name, selectable=False, exists=False)
        if not matches(name) or not (name in above or chosen(entry)):
            continue
        listed.append(entry)
        attributes = _attributes(entry, name in holders, show_subscribed)
        info = child_info if name in above else b""
        server.respond(b'* LIST (%b) "%b" %b%b\r\n' % (attributes, _DELIMITER, encode_mailbox(name), info))
    if "STATUS" in returns:
        await _respond_status(server, listed, arguments.status_items)


async def list_subscribed(server: IMAPServer, command: Command[Lsub]) -> None:
    """LSUB (RFC 3501 6.3.9): subscribed names, whether their mailboxes exist or not.

    If ``%`` matches a name that is not subscribed, but that has a subscribed inferior, the name is
    shown as ``\\Noselect``.
    """
    arguments = command.arguments
    if not arguments.pattern:
        server.respond(b'* LSUB (\\Noselect) "%b" ""\r\n' % _DELIMITER)
        return
    entries = {entry.name: entry for entry in await settle(server.signed_in.list()) if entry.subscribed}
    matches = _matcher(arguments.reference, (arguments.pattern,))
    names = set(entries)
    if "%" in arguments.pattern:
        names |= _superiors(entries)
    for name in sorted(filter(matches, names)):
        entry = entries.get(name)
        attribute = b"" if entry is not None and entry.selectable else b"\\Noselect"
        server.respond(b'* LSUB (%b) "%b" %b\r\n' % (attribute, _DELIMITER, encode_mailbox(name)))


def _matcher(reference: str, patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return a test: whether a name matches one of the patterns, each with the reference before it."""
    compiled = [Pattern(reference + pattern) for pattern in patterns]
    if len(compiled) == 1:
        return compiled[0].matches
    return lambda name: any(pattern.matches(name) for pattern in compiled)


def _chosen(selection: frozenset[str]) -> Callable[[MailboxEntry], bool]:
    """Return a test: whether the selection options choose a mailbox (RFC 5258 3.1, RFC 6154 5.2)."""
    subscribed, special = "SUBSCRIBED" in selection, "SPECIAL-USE" in selection

    def chosen(entry: MailboxEntry) -> bool:
        if special and not entry.special_use:
            return False
        return entry.subscribed if subscribed else entry.exists

    return chosen


def _superiors(names: Iterable[str]) -> set[str]:
    """All names above these names in the hierarchy."""
    found: set[str] = set()
    for name in names:
        for superior in _up(name):
            if superior in found:
                break
            found.add(superior)
    return found


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


async def _respond_status(server: IMAPServer, listed: Sequence[MailboxEntry], items: Sequence[str]) -> None:
    """Answer STATUS of the listed mailboxes that can be selected, with one query (RFC 5819 2)."""
    names = [entry.name for entry in listed if entry.selectable]
    found = await settle(server.signed_in.status(names))
    for name in names:
        if name in found:
            server.respond(render_status(name, found[name], items))
