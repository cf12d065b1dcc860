"""For queues of your own: a message for an `mailproto.smtp.SMTPClient`, with all that is known afterwards.

`mailproto.relay` sends with it; a program that only wants outcomes calls `SMTPClient.send`.
"""

from mailproto.smtp.client._transmission import Transmission

__all__ = [
    "Transmission",
]
