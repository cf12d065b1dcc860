"""The grammars of the commands in RFC 3501, and the words in their tables, for the tables of servers."""

from mailproto.imap.wire._dates import date, date_time
from mailproto.imap.wire._fetch import FETCH_MACROS, FETCH_NAMES, body, body_peek, fetch, fetch_items
from mailproto.imap.wire._flags import bare_flags, flag_keyword, flag_list
from mailproto.imap.wire._list import list_mailboxes, lsub
from mailproto.imap.wire._mailbox_commands import (
    append,
    append_message,
    create,
    mailbox_name,
    rename,
    select,
    special_use,
    status,
    status_items,
)
from mailproto.imap.wire._message_commands import copy, store, uid_expunge
from mailproto.imap.wire._search import (
    SEARCH_CHARSETS,
    SEARCH_NAMES,
    SEARCH_READERS,
    search,
    search_charset,
    search_keys,
    search_program,
    search_returns,
)
from mailproto.imap.wire._session_commands import authenticate, enable, identify, login, no_arguments

__all__ = [
    "FETCH_MACROS",
    "FETCH_NAMES",
    "SEARCH_CHARSETS",
    "SEARCH_NAMES",
    "SEARCH_READERS",
    "append",
    "append_message",
    "authenticate",
    "bare_flags",
    "body",
    "body_peek",
    "copy",
    "create",
    "date",
    "date_time",
    "enable",
    "fetch",
    "fetch_items",
    "flag_keyword",
    "flag_list",
    "identify",
    "list_mailboxes",
    "login",
    "lsub",
    "mailbox_name",
    "no_arguments",
    "rename",
    "search",
    "search_charset",
    "search_keys",
    "search_program",
    "search_returns",
    "select",
    "special_use",
    "status",
    "status_items",
    "store",
    "uid_expunge",
]
