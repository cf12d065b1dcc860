"""Deliveries: implementations of `mailproto.interfaces.IDelivery`, and base classes for your own."""

from mailproto.delivery._base import Delivery, FunctionDelivery, accepted
from mailproto.delivery._mailboxes import MAX_CACHED, TRUST, MailboxDelivery
from mailproto.delivery._sessions import DeliverySession, PerSession

__all__ = [
    "MAX_CACHED",
    "TRUST",
    "Delivery",
    "DeliverySession",
    "FunctionDelivery",
    "MailboxDelivery",
    "PerSession",
    "accepted",
]
