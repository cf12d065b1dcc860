"""SMTP, submission and LMTP servers that hand what arrives to an `IDelivery`."""

from mailproto.smtp._limits import UNHURRIED_LIMITS, SMTPLimits
from mailproto.smtp.factory import MAX_MESSAGE_SIZE, SMTPServerFactory
from mailproto.smtp.lmtp import LMTPServer, LMTPServerFactory
from mailproto.smtp.server import SMTPServer

__all__ = [
    "MAX_MESSAGE_SIZE",
    "UNHURRIED_LIMITS",
    "LMTPServer",
    "LMTPServerFactory",
    "SMTPLimits",
    "SMTPServer",
    "SMTPServerFactory",
]
