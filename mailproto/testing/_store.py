"""The whole conformance suite for stores."""

from __future__ import annotations

from mailproto.testing._access_control import AccessControlConformance
from mailproto.testing._access_keys import AccessKeyConformance
from mailproto.testing._account import AccountConformance
from mailproto.testing._annotations import AnnotationConformance
from mailproto.testing._changes import ChangesConformance
from mailproto.testing._directory import DirectoryConformance
from mailproto.testing._finding import FindingConformance
from mailproto.testing._ids import ObjectIdConformance
from mailproto.testing._mailbox import MailboxConformance
from mailproto.testing._mailbox_changes import MailboxChangesConformance
from mailproto.testing._near_words import NearWordsConformance
from mailproto.testing._quotas import QuotaConformance
from mailproto.testing._reading import ReadingConformance
from mailproto.testing._replacing import ReplacingConformance
from mailproto.testing._save_dates import SaveDateConformance
from mailproto.testing._store_delivery import StoreDeliveryConformance

__all__ = ["StoreConformance"]


class StoreConformance(
    DirectoryConformance,
    ReadingConformance,
    AccountConformance,
    MailboxConformance,
    ChangesConformance,
    StoreDeliveryConformance,
    ObjectIdConformance,
    FindingConformance,
    NearWordsConformance,
    QuotaConformance,
    SaveDateConformance,
    AnnotationConformance,
    MailboxChangesConformance,
    ReplacingConformance,
    AccessKeyConformance,
    AccessControlConformance,
):
    """Tests a store: `IStore`, `IDirectory`, `IAccount`, `IMailbox`, and the add-ons of these that it has.

    A test that needs something that the store declares not to offer is skipped.  A store declares this with
    `IAddOns.add_ons`, `IMailbox.writable` and `IFixedMailboxes`.
    """
