"""The limits of SMTP servers, and the time limits of SMTP clients."""

from mailproto.smtp.client._timeouts import SMTPTimeouts
from mailproto.smtp.server._limits import MAX_MESSAGE_SIZE, TRUSTED_CLIENT_LIMITS, SMTPLimits

__all__ = [
    "MAX_MESSAGE_SIZE",
    "TRUSTED_CLIENT_LIMITS",
    "SMTPLimits",
    "SMTPTimeouts",
]
