"""The values that the methods of `mailproto.imap.IMAPClient` take and return.

- `Query`: what to search for.  `UidSet`: UIDs, as ranges.  `KnownMailbox`: for a quick resynchronization.
- `FetchedMessage`, with its `MessageEnvelope` and `BodyStructure`; `FetchedPart`.
- `MailboxInfo`, `MailboxCounts` and `SelectedMailbox`; `SearchResult`, `ThreadNode`, `Stored`, `AppendedTo`,
  `Copied`.
- What the server tells unasked: `Exists`, `Expunged`, `Vanished`, `FlagsChanged`, `StatusChanged`,
  `MailboxListed`, `MetadataChanged`, `Alert`, and `Missed` if nobody took them.

`mailproto.imap.limits` has `IMAPTimeouts` and `IMAPClientLimits`, and `mailproto.client.errors` the errors.
"""

from mailproto.imap.client._fetched import FetchedMessage
from mailproto.imap.client._fetching import Fetched
from mailproto.imap.client._known_mailbox import KnownMailbox
from mailproto.imap.client._mailbox_values import (
    Alert,
    AppendedTo,
    Copied,
    Exists,
    Expunged,
    FlagsChanged,
    IMAPEvent,
    MailboxCounts,
    MailboxInfo,
    MailboxListed,
    MetadataChanged,
    Missed,
    Namespace,
    Namespaces,
    QuotaRoot,
    SearchResult,
    SelectedMailbox,
    StatusChanged,
    ThreadNode,
    Vanished,
)
from mailproto.imap.client._message_commands import Stored
from mailproto.imap.client._parts import FetchedPart
from mailproto.imap.client._searching import Query
from mailproto.imap.client._structures import BodyStructure, MessageEnvelope
from mailproto.imap.client._uid_set import Uids, UidSet
from mailproto.imap.client._unasked import Events

__all__ = [
    "Alert",
    "AppendedTo",
    "BodyStructure",
    "Copied",
    "Events",
    "Exists",
    "Expunged",
    "Fetched",
    "FetchedMessage",
    "FetchedPart",
    "FlagsChanged",
    "IMAPEvent",
    "KnownMailbox",
    "MailboxCounts",
    "MailboxInfo",
    "MailboxListed",
    "MessageEnvelope",
    "MetadataChanged",
    "Missed",
    "Namespace",
    "Namespaces",
    "Query",
    "QuotaRoot",
    "SearchResult",
    "SelectedMailbox",
    "StatusChanged",
    "Stored",
    "ThreadNode",
    "UidSet",
    "Uids",
    "Vanished",
]
