"""LIST-EXTENDED (RFC 5258): options that select names, and that return more about them."""

from __future__ import annotations

from collections.abc import Iterable

from mailproto.imap.server._extension import Extension
from mailproto.imap.server._options import ListReturn, ListSelection
from mailproto.imap.wire import no_value
from mailproto.model import MailboxEntry

__all__ = ["EXTENSION"]


def _subscribed(entry: MailboxEntry) -> Iterable[str]:
    return ("\\Subscribed",) if entry.subscribed else ()


EXTENSION = Extension(
    "LIST-EXTENDED",
    capabilities=("LIST-EXTENDED",),
    list_selection=(
        ListSelection("SUBSCRIBED", lambda entry: entry.subscribed, missing=True),
        ListSelection("REMOTE"),  # there are no remote mailboxes
        ListSelection("RECURSIVEMATCH"),
    ),
    list_returns=(
        ListReturn("SUBSCRIBED", no_value, _subscribed),
        ListReturn("CHILDREN", no_value),  # they are always told
    ),
)
