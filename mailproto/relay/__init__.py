"""The way of mail to other servers: taking it, and carrying it to its destination."""

from mailproto.relay._intake import Destinations, QueueDelivery

__all__ = ["Destinations", "QueueDelivery"]
