"""What became of a message for one recipient, and whether its sender wants to know (RFC 3461)."""

from __future__ import annotations

import enum
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from mailproto.model import Outcome, Parameters, Recipient
from mailproto.smtp.wire import Notify, OriginalRecipient, rcpt_options

__all__ = ["MAX_RETURNED", "Action", "RecipientStatus", "only", "read"]

T = TypeVar("T")

MAX_RETURNED: Final = 1 << 16
"""The most octets of the original message in a report; of a longer message only the header is returned."""


class Action(enum.Enum):
    """What became of a message for one recipient (RFC 3464 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


_WANTED: Final = {
    Action.FAILED: Notify.FAILURE,
    Action.DELAYED: Notify.DELAY,
    Action.DELIVERED: Notify.SUCCESS,
    Action.RELAYED: Notify.SUCCESS,
    Action.EXPANDED: Notify.SUCCESS,
}
_DEFAULT: Final = Notify.FAILURE | Notify.DELAY
"""What a sender wants to know who does not say so (RFC 3461 4.1)."""


@dataclass(frozen=True, slots=True)
class RecipientStatus:
    """What became of a message for one recipient.

    :ivar outcome: the last reply: its codes and its text are in the report, its ``detail`` is not.
    :ivar remote: the host that gave the reply; "" if this server itself did.
    :ivar attempted: when it was tried last, in seconds since the epoch; None to leave that out.
    :ivar retried_until: of a delayed message, until when it will be tried; None to leave that out.
    :ivar is_ours: whether this server itself has decided the outcome, although it is about ``remote``.
    """

    recipient: Recipient
    outcome: Outcome
    action: Action = Action.FAILED
    remote: str = ""
    attempted: float | None = None
    retried_until: float | None = None
    is_ours: bool = False

    @property
    def original(self) -> OriginalRecipient | None:
        """ORCPT: the recipient as the sender named it; None if it is missing."""
        return read(lambda: rcpt_options(only(self.recipient.parameters, "ORCPT")).original)

    @property
    def is_wanted(self) -> bool:
        """Whether the sender wants to know (NOTIFY)."""
        notify = read(lambda: rcpt_options(only(self.recipient.parameters, "NOTIFY")).notify)
        return _WANTED[self.action] in (_DEFAULT if notify is None else notify)


def only(parameters: Parameters, keyword: str) -> Parameters:
    """The one parameter, if it is there."""
    return {keyword: parameters[keyword]} if keyword in parameters else {}


def read(read: Callable[[], T]) -> T | None:
    """A parameter's value; a server has checked it, but not every envelope comes from a server."""
    with suppress(ValueError):
        return read()
    return None
