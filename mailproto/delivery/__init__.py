"""Deliveries: implementations of `mailproto.interfaces.IDelivery`, and base classes for your own.

`bounce` makes the report for a sender whose message could not be delivered.
"""

from mailproto.delivery._base import Delivery, FunctionDelivery, accepted
from mailproto.delivery._bounce import Report, bounce, report
from mailproto.delivery._mailboxes import MAX_CACHED, TRUST, MailboxDelivery
from mailproto.delivery._sessions import DeliverySession, PerSession
from mailproto.delivery._status import MAX_RETURNED, Action, RecipientStatus

__all__ = [
    "MAX_CACHED",
    "MAX_RETURNED",
    "TRUST",
    "Action",
    "Delivery",
    "DeliverySession",
    "FunctionDelivery",
    "MailboxDelivery",
    "PerSession",
    "RecipientStatus",
    "Report",
    "accepted",
    "bounce",
    "report",
]
