"""The arguments of LIST, in the basic and the extended form (RFC 5258, RFC 5819, RFC 6154), and of LSUB."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailproto.imap.wire._arguments import NO_OPTIONS, ArgumentReader
from mailproto.imap.wire._commands import List, Lsub
from mailproto.imap.wire._errors import IMAPWireError

__all__ = ["list_mailboxes", "lsub"]

_SELECTION = re.compile(rb"\(([A-Za-z-]++(?: [A-Za-z-]++)*)?\) ")
_RETURN = re.compile(rb" RETURN(?= \()", re.IGNORECASE)


def list_mailboxes(arguments: ArgumentReader) -> List:
    """``SP [selection SP] reference SP patterns [SP "RETURN" SP options]``."""
    arguments.space()
    selection = None
    if arguments.follows(b"("):
        selection = _selection(arguments)
    reference = arguments.reference_here()
    arguments.space()
    several = arguments.take(b"(")
    patterns = [arguments.list_mailbox_here()]
    if several:
        while not arguments.take(b")"):
            arguments.space()
            patterns.append(arguments.list_mailbox_here())
    returns = None
    if arguments.match(_RETURN):
        returns = arguments.options(arguments.syntax.list_returns, "return option")
    return List(
        *_possible(reference, patterns),
        selection or frozenset(),
        returns or NO_OPTIONS,
        extended=several or selection is not None or returns is not None,
    )


def lsub(arguments: ArgumentReader) -> Lsub:
    """``SP mailbox SP list-mailbox``."""
    arguments.space()
    reference = arguments.reference_here()
    arguments.space()
    return Lsub(*_possible(reference, [arguments.list_mailbox_here()]))


def _possible(reference: str | None, patterns: Iterable[str | None]) -> tuple[str, tuple[str, ...]]:
    """The reference, and those of the patterns that a mailbox can match."""
    if reference is None:
        return "", ()
    return reference, tuple(pattern for pattern in patterns if pattern is not None)


def _selection(arguments: ArgumentReader) -> frozenset[str]:
    match = arguments.expect(_SELECTION, "selection options")
    options = frozenset((match[1] or b"").decode("ascii").upper().split())
    known = arguments.syntax.list_selection
    if not options <= known.keys():
        raise IMAPWireError("Unknown selection option")
    if "RECURSIVEMATCH" in options and not any(known[option] for option in options):
        # RFC 5258 6: it needs another option that selects mailboxes.
        raise IMAPWireError("RECURSIVEMATCH needs SUBSCRIBED")
    return options
