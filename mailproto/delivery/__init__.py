"""What happens to mail that arrives: deliveries, and base classes for your own.

A server takes any `mailproto.interfaces.IDelivery`::

    SMTPServerFactory(FunctionDelivery(deliver))        # calls deliver(envelope, content) for each message
    SMTPServerFactory(MyDelivery())                     # a subclass of Delivery also decides about addresses
    SMTPServerFactory(PerSession(MyDeliverySession))    # an object for each connection, with its own state
    SMTPServerFactory(MailboxDelivery(store, domains))  # into the mailboxes of a store

Raise `mailproto.errors.Refused` to refuse a sender, a recipient or a message; return None to accept.
`mailproto.delivery.routing` has a router, and deliveries that ask another server while the client waits.
`bounce` makes the report for a sender whose message could not be delivered; `mailproto.delivery.reports`
makes others.
"""

from mailproto.delivery._base import Delivery, FunctionDelivery, accepted
from mailproto.delivery._bounce import bounce
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
    "bounce",
]
