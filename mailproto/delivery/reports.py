"""Reports for senders (RFC 3464), for queues and relays of your own.

`mailproto.delivery.bounce` makes the report of a delivery that has failed; `report` makes any other.
"""

from mailproto.delivery._bounce import Report, report
from mailproto.delivery._status import MAX_RETURNED, Action, RecipientStatus

__all__ = ["MAX_RETURNED", "Action", "RecipientStatus", "Report", "report"]
