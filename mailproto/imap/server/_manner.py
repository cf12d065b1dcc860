"""How a client is told of its mailbox: what it has enabled changes the responses."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Manner"]


@dataclass(slots=True)
class Manner:
    """How one client is told; extensions set it, and all views of the session follow it.

    :ivar modseqs: each FETCH of changed flags has the UID and the MODSEQ (RFC 7162 3.2.4).
    :ivar vanished: VANISHED with UIDs takes the place of EXPUNGE (RFC 7162 3.2.10).
    :ivar recent: there is ``\\Recent``, which IMAP4rev2 has not (RFC 9051 E, 12).
    :ivar extended: SEARCH answers with ESEARCH, and SELECT with LIST (RFC 9051 E, 4 and 10).
    :ivar uids_only: messages have no numbers (RFC 9586).
    """

    modseqs: bool = False
    vanished: bool = False
    recent: bool = True
    extended: bool = False
    uids_only: bool = False
