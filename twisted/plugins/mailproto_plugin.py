"""``twistd mailproto``."""

from twisted.application.service import ServiceMaker

mailproto = ServiceMaker(
    "mailproto", "mailproto.service", "A mail server: SMTP, submission, LMTP, POP3 and IMAP.", "mailproto"
)
