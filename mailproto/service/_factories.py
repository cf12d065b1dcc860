"""The factories that a store and its deliveries are served with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.cred.portal import Portal

from mailproto.connection import ServerFactory
from mailproto.imap import IMAPServerFactory
from mailproto.interfaces import IDelivery
from mailproto.pop3 import POP3ServerFactory
from mailproto.service._options import Settings
from mailproto.smtp import LMTPServerFactory, SMTPServerFactory
from mailproto.tls import ServerTLS

__all__ = ["FACTORIES", "Parts"]


@dataclass(frozen=True, slots=True)
class Parts:
    """What factories are made of.

    :ivar tls: for whoever comes with mail.
    :ivar account_tls: for those with an account: it may ask for a certificate, and does not
        take one from elsewhere, which another server may well show to port 25.
    """

    settings: Settings
    reactor: Any
    delivery: IDelivery
    portal: Portal
    tls: ServerTLS
    account_tls: ServerTLS
    spool_folder: Path


def _smtp(parts: Parts, *, submission: bool = False) -> ServerFactory:
    settings = parts.settings
    return SMTPServerFactory(
        parts.delivery,
        clock=parts.reactor,
        hostname=settings.hostname,
        portal=parts.portal,
        tls=parts.account_tls if submission else parts.tls,
        submission=submission,
        max_message_size=settings.max_message_size,
        spool_folder=str(parts.spool_folder),
        bare_newlines=settings.bare_newlines,
        strict_envelopes=settings.strict_envelopes,
        any_sender=settings.any_sender,
        xclient=settings.xclient,
        trace_account=settings.trace_account,
        mechanisms=settings.mechanisms,
        limits=settings.limits.submission if submission else settings.limits.smtp,
    )


def _submission(parts: Parts) -> ServerFactory:
    return _smtp(parts, submission=True)


def _lmtp(parts: Parts) -> ServerFactory:
    return LMTPServerFactory(
        parts.delivery,
        clock=parts.reactor,
        hostname=parts.settings.hostname,
        tls=parts.tls,
        max_message_size=parts.settings.max_message_size,
        spool_folder=str(parts.spool_folder),
        bare_newlines=parts.settings.bare_newlines,
        strict_envelopes=parts.settings.strict_envelopes,
        limits=parts.settings.limits.lmtp,
    )


def _pop3(parts: Parts) -> ServerFactory:
    return POP3ServerFactory(
        parts.portal,
        clock=parts.reactor,
        hostname=parts.settings.hostname,
        tls=parts.account_tls,
        mechanisms=parts.settings.mechanisms,
        limits=parts.settings.limits.pop3,
    )


def _imap(parts: Parts) -> ServerFactory:
    return IMAPServerFactory(
        parts.portal,
        clock=parts.reactor,
        hostname=parts.settings.hostname,
        tls=parts.account_tls,
        max_message_size=parts.settings.max_message_size,
        spool_folder=str(parts.spool_folder),
        mechanisms=parts.settings.mechanisms,
        limits=parts.settings.limits.imap,
    )


FACTORIES: Mapping[str, Callable[[Parts], ServerFactory]] = {
    "smtp": _smtp,
    "submission": _submission,
    "lmtp": _lmtp,
    "pop3": _pop3,
    "imap": _imap,
}
"""What serves the protocols of `mailproto.service._listeners.Listener`."""
