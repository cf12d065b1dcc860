"""The timeouts of IMAP clients."""

from __future__ import annotations

from dataclasses import dataclass

from mailproto.client import ClientTimeouts

__all__ = ["IMAPTimeouts"]


@dataclass(frozen=True, slots=True)
class IMAPTimeouts(ClientTimeouts):
    """`ClientTimeouts`, and those of IMAP, in seconds.

    The timeout of a command begins anew with each response: a long answer may take any time.

    :ivar block: for the server to read more of a message that is sent.
    :ivar idle: after which IDLE is sent again; servers may end a session after 30 minutes (RFC 2177).
    :ivar bad: for the answer to a command after an untagged BAD, which may be the only one (RFC 9051 7.1.3).
    :ivar poll: between two NOOPs where the server has no IDLE.
    """

    block: float = 180
    idle: float = 28 * 60
    bad: float = 30
    poll: float = 60
