"""Deliveries: implementations of `mailproto.interfaces.IDelivery`, and base classes for your own."""

from mailproto.delivery._base import Delivery, FunctionDelivery, accepted
from mailproto.delivery._catch_all import CatchAllDelivery
from mailproto.delivery._mailboxes import MAX_CACHED, TRUST, MailboxDelivery
from mailproto.delivery._sessions import DeliverySession, PerSession

__all__ = [
    "MAX_CACHED",
    "TRUST",
    "CatchAllDelivery",
    "Delivery",
    "DeliverySession",
    "FunctionDelivery",
    "MailboxDelivery",
    "PerSession",
    "accepted",
]
