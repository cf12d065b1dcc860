"""Deliveries: implementations of `mailproto.interfaces.IDelivery`, and base classes for your own."""

from mailproto.delivery._base import Delivery, FunctionDelivery, accepted
from mailproto.delivery._mailboxes import MAX_CACHED, TRUST, MailboxDelivery

__all__ = [
    "MAX_CACHED",
    "TRUST",
    "Delivery",
    "FunctionDelivery",
    "MailboxDelivery",
    "accepted",
]
