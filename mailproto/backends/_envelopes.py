"""Envelopes as text, for the databases of queues."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from mailproto.model import (
    NO_PARAMETERS,
    Address,
    Envelope,
    Outcome,
    Parameters,
    Recipient,
    Session,
    TLSInfo,
)

__all__ = ["dump_envelope", "dump_reply", "load_envelope", "load_reply"]

SESSIONS = 256
"""Sessions that are made once for several messages."""

# Lone surrogates, which a client's parameters may have, are escaped; so everything is ASCII.


def dump_envelope(envelope: Envelope) -> str:
    """An envelope as one line of ASCII."""
    session, sender = envelope.session, envelope.sender
    tls = session.tls
    return _dump(
        [
            envelope.id,
            [sender.local, sender.domain],
            [
                [each.address.local, each.address.domain, _given(each.parameters)]
                for each in envelope.recipients
            ],
            _given(envelope.parameters),
            [
                session.protocol,
                session.hostname,
                session.peer,
                session.helo,
                session.submission,
                None if tls is None else [tls.version, tls.cipher],
                session.account,
            ],
        ]
    )


def load_envelope(text: str) -> Envelope:
    """The envelope of which `dump_envelope` made a text."""
    id_, sender, recipients, parameters, (*session, tls, account) = json.loads(text)
    return Envelope(
        id_,
        Address(*sender),
        tuple(
            [Recipient(Address(local, domain), given or NO_PARAMETERS) for local, domain, given in recipients]
        ),
        _session(*session, tls=None if tls is None else tuple(tls), account=account),
        parameters or NO_PARAMETERS,
    )


@lru_cache(SESSIONS)
def _session(
    protocol: str,
    hostname: str,
    peer: str,
    helo: str,
    submission: bool,
    *,
    tls: tuple[str, str] | None,
    account: str | None,
) -> Session:
    return Session(
        protocol, hostname, peer, helo, submission, None if tls is None else TLSInfo(*tls), account
    )


def dump_reply(outcome: Outcome, host: str) -> str:
    """A result of an attempt, and who gave it, as one line of ASCII."""
    return _dump([outcome.code, outcome.enhanced, outcome.text, outcome.detail, host])


def load_reply(text: str | None) -> tuple[Outcome | None, str]:
    """The opposite of `dump_reply`; None and "" for None."""
    if text is None:
        return None, ""
    *outcome, host = json.loads(text)
    return Outcome(*outcome), host


def _given(parameters: Parameters) -> dict[str, Any] | None:
    return dict(parameters) if parameters else None


_dump = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
