"""Deliveries: implementations of `mailproto.interfaces.IDelivery`, and base classes for your own."""

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
