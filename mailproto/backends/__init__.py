"""Stores: several implementations of the interfaces in `mailproto.interfaces`.

`open_store` opens a store by its URL.  `SimpleMailbox` is the base class for serving an application's own
messages.  To pass the conformance suite, your own store must follow the rules of `check_name`,
`check_rename`, `check_special_use`, `kept_flags` and `check_keywords`.  `check_names` limits how many
mailboxes an account has.
"""

from mailproto.backends._annotations import (
    MAX_ANNOTATION_NAME,
    MAX_ANNOTATION_OCTETS,
    MAX_ANNOTATIONS,
    MAX_ANNOTATIONS_OCTETS,
)
from mailproto.backends._flags import (
    MAX_KEYWORD_LENGTH,
    MAX_KEYWORDS,
    MAX_KEYWORDS_OCTETS,
    check_keywords,
    kept_flags,
)
from mailproto.backends._keywords import MAX_COMBINED_KEYWORDS, MAX_MAILBOX_KEYWORDS
from mailproto.backends._memory import MemoryStore
from mailproto.backends._names import (
    DEFAULT_MAILBOXES,
    MAX_DEPTH,
    MAX_MAILBOXES,
    MAX_NAME_OCTETS,
    MAX_NAMES_OCTETS,
    check_name,
    check_names,
    check_rename,
    check_special_use,
)
from mailproto.backends._open import STORES, open_store, store_schemes
from mailproto.backends._simple import SimpleMailbox
from mailproto.backends._simple_account import SimpleAccount, SingleStore
from mailproto.backends.sqlite._store import SQLiteStore

__all__ = [
    "DEFAULT_MAILBOXES",
    "MAX_ANNOTATIONS",
    "MAX_ANNOTATIONS_OCTETS",
    "MAX_ANNOTATION_NAME",
    "MAX_ANNOTATION_OCTETS",
    "MAX_COMBINED_KEYWORDS",
    "MAX_DEPTH",
    "MAX_KEYWORDS",
    "MAX_KEYWORDS_OCTETS",
    "MAX_KEYWORD_LENGTH",
    "MAX_MAILBOXES",
    "MAX_MAILBOX_KEYWORDS",
    "MAX_NAMES_OCTETS",
    "MAX_NAME_OCTETS",
    "STORES",
    "MemoryStore",
    "SQLiteStore",
    "SimpleAccount",
    "SimpleMailbox",
    "SingleStore",
    "check_keywords",
    "check_name",
    "check_names",
    "check_rename",
    "check_special_use",
    "kept_flags",
    "open_store",
    "store_schemes",
]
