"""What may happen to a message that an SMTP client sends.

`mailproto.client.errors` has the errors of connections.
"""

from mailproto.smtp.client._outcomes import UNCERTAIN, outcome_of
from mailproto.smtp.client._send_mail import AllRefused

__all__ = [
    "UNCERTAIN",
    "AllRefused",
    "outcome_of",
]
