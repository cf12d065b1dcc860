"""What becomes of mail that arrives: parts that implement `mailproto.interfaces.IDelivery`."""

from mailproto.delivery._base import Delivery, FunctionDelivery, accepted
from mailproto.delivery._mailboxes import MAX_CACHED, TRUST, MailboxDelivery
from mailproto.domains import canonical_domain

__all__ = [
    "MAX_CACHED",
    "TRUST",
    "Delivery",
    "FunctionDelivery",
    "MailboxDelivery",
    "accepted",
    "canonical_domain",
]
