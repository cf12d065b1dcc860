"""The timeouts of POP3 clients."""

from __future__ import annotations

from dataclasses import dataclass

from mailproto._arguments import check_type
from mailproto.client import ClientTimeouts

__all__ = ["POP3Timeouts", "checked_timeouts"]


@dataclass(frozen=True, slots=True)
class POP3Timeouts(ClientTimeouts):
    """`ClientTimeouts` with shorter defaults, and those of POP3's long work, in seconds.

    :ivar block: for more octets of a message or of a list.
    :ivar commit: for the answer to QUIT, before which the server removes messages.
    """

    greeting: float = 60
    command: float = 120
    block: float = 120
    commit: float = 600


def checked_timeouts(timeouts: POP3Timeouts | None) -> POP3Timeouts:
    """The value of a parameter; None for the defaults.

    :raises TypeError: it is no `POP3Timeouts`.
    """
    if timeouts is None:
        return POP3Timeouts()
    check_type("timeouts", timeouts, POP3Timeouts, "a POP3Timeouts or None", "write POP3Timeouts(...)")
    return timeouts
