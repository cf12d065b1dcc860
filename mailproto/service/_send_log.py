"""The mail log of ``mailproto send``: to syslog, as sendmail does, because it is not the server's process."""

from __future__ import annotations

import syslog
from collections.abc import Sequence

from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from zope.interface import provider

from mailproto.content import Content
from mailproto.maillog import MailLog
from mailproto.message import header_fields
from mailproto.model import Envelope, Outcome
from mailproto.observing import Accepted, Client, Delivered

__all__ = ["begin_log", "log_taken"]

_LEVELS = {LogLevel.warn: syslog.LOG_WARNING, LogLevel.error: syslog.LOG_ERR}


def begin_log() -> None:
    """Write all lines of the mail log to syslog, with the facility ``mail``; nothing where there is none."""
    syslog.openlog("mailproto", syslog.LOG_PID, syslog.LOG_MAIL)
    globalLogPublisher.addObserver(_to_syslog)


@provider(ILogObserver)
def _to_syslog(event: LogEvent) -> None:
    if event.get("log_namespace") == "mail":
        syslog.syslog(_LEVELS.get(event["log_level"], syslog.LOG_INFO), event["line"])


def log_taken(user: str, envelope: Envelope, outcomes: Sequence[Outcome], content: Content) -> None:
    """Log what became of a message: the line ``taken``, and with several recipients one for each."""
    client = Client(user, "send")
    found = (field.value for field in header_fields(content) if field.name.lower() == b"message-id")
    message_id = next(found, b"").strip().decode("utf-8", "replace")
    log = MailLog()
    if any(outcome.accepted for outcome in outcomes):
        log.accepted(Accepted(client, envelope, outcomes, len(content), message_id))
    for recipient, outcome in zip(envelope.recipients, outcomes, strict=True):
        log.delivered(Delivered(client, envelope, recipient, outcome, is_told=True))
