"""Deliveries that give mail to others: to another delivery, or to another server.

`RouterDelivery` chooses a delivery for each recipient.  `SMTPDelivery` and `LMTPDelivery` ask another server
while the client waits; `mailproto.relay.QueueDelivery` takes the mail first and sends it later.
"""

from mailproto.delivery._next_server import LMTPDelivery, SMTPDelivery
from mailproto.delivery._router import RouterDelivery

__all__ = ["LMTPDelivery", "RouterDelivery", "SMTPDelivery"]
