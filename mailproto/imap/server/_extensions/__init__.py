"""What the server can do beyond RFC 3501: a file for each extension, and the list of all."""

from __future__ import annotations

from collections.abc import Sequence

from mailproto.imap.server._append import APPEND
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._extensions import (
    acl,
    appendlimit,
    binary,
    catenate,
    children,
    compress,
    condstore,
    context,
    enable,
    esearch,
    filters,
    fuzzy,
    i18nlevel,
    identify,
    idle,
    imap4rev2,
    inprogress,
    language,
    list_extended,
    list_metadata,
    list_myrights,
    list_status,
    literal_minus,
    literal_plus,
    messagelimit,
    metadata,
    move,
    multiappend,
    multisearch,
    namespace,
    notify,
    objectid,
    partial,
    preview,
    qresync,
    quota,
    replace,
    sasl_ir,
    savedate,
    searchres,
    sort,
    special_use,
    status_size,
    thread,
    uidonly,
    uidplus,
    unauthenticate,
    unselect,
    urlauth,
    utf8_accept,
    within,
)
from mailproto.imap.server._fetch import FETCH
from mailproto.imap.server._listing import LISTING
from mailproto.imap.server._mailbox_commands import MAILBOXES
from mailproto.imap.server._message_commands import MESSAGES
from mailproto.imap.server._search import SEARCH
from mailproto.imap.server._session_commands import SESSION

__all__ = ["CORE", "LITERAL_MINUS", "STANDARD"]

CORE: Sequence[Extension] = (SESSION, MAILBOXES, LISTING, APPEND, FETCH, MESSAGES, SEARCH)
"""RFC 3501."""

LITERAL_MINUS = literal_minus.EXTENSION
"""Instead of the one with the name ``LITERAL+``, for a server that wants to refuse long literals."""

STANDARD: Sequence[Extension] = (
    *CORE,
    acl.EXTENSION,
    appendlimit.EXTENSION,
    binary.EXTENSION,
    catenate.EXTENSION,
    children.EXTENSION,
    compress.EXTENSION,
    condstore.EXTENSION,
    context.EXTENSION,
    context.SORT,
    enable.EXTENSION,
    esearch.EXTENSION,
    filters.EXTENSION,
    fuzzy.EXTENSION,
    i18nlevel.EXTENSION,
    identify.EXTENSION,
    idle.EXTENSION,
    imap4rev2.EXTENSION,
    inprogress.EXTENSION,
    language.EXTENSION,
    list_extended.EXTENSION,
    list_metadata.EXTENSION,
    list_myrights.EXTENSION,
    list_status.EXTENSION,
    literal_plus.EXTENSION,
    messagelimit.EXTENSION,
    metadata.EXTENSION,
    move.EXTENSION,
    multiappend.EXTENSION,
    multisearch.EXTENSION,
    namespace.EXTENSION,
    notify.EXTENSION,
    objectid.EXTENSION,
    partial.EXTENSION,
    preview.EXTENSION,
    qresync.EXTENSION,
    quota.EXTENSION,
    replace.EXTENSION,
    sasl_ir.EXTENSION,
    savedate.EXTENSION,
    searchres.EXTENSION,
    sort.DISPLAY,
    sort.EXTENSION,
    special_use.EXTENSION,
    status_size.EXTENSION,
    thread.EXTENSION,
    uidonly.EXTENSION,
    uidplus.EXTENSION,
    unauthenticate.EXTENSION,
    unselect.EXTENSION,
    urlauth.EXTENSION,
    utf8_accept.EXTENSION,
    within.EXTENSION,
)
"""What servers offer by default."""
