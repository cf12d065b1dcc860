"""What a report tells people: what happened, and what they can do, in a sentence for each code (RFC 3463)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from mailproto.delivery._status import Action, RecipientStatus
from mailproto.model import Outcome
from mailproto.printable import printable

__all__ = ["explanation", "headline", "subject"]

_SUBJECTS: Final[Mapping[Action, str]] = {
    Action.FAILED: "Your message could not be delivered",
    Action.DELAYED: "Your message is delayed",
    Action.DELIVERED: "Your message was delivered",
    Action.RELAYED: "Your message was passed on",
    Action.EXPANDED: "Your message was sent to a list",
}

_HEADLINES: Final[Mapping[Action, str]] = {
    Action.FAILED: "Your message could not be delivered to these addresses, and will not be tried again:",
    Action.DELAYED: "Your message could not be delivered to these addresses yet:",
    Action.DELIVERED: "Your message was delivered to these addresses:",
    Action.RELAYED: "Your message was passed on to other servers for these addresses:",
    Action.EXPANDED: "Your message was sent to the members of these lists:",
}

_WHY: Final[Mapping[str, str]] = {
    "1.1": "There is no such mailbox: check how the address is spelled.",
    "1.2": "There is no such domain: check how the part after the @ is spelled.",
    "1.3": "This is not an address: check how it is spelled.",
    "1.6": "The mailbox has moved: ask the recipient for the new address.",
    "1.10": "The domain takes no mail: check how the part after the @ is spelled.",
    "1": "The server does not take this address: check how it is spelled.",
    "2.1": "The mailbox is switched off: reach the recipient in another way.",
    "2.2": "The mailbox is full: send the message again later, or reach the recipient in another way.",
    "2.3": "The message is too large for the mailbox: make it smaller, and send it again.",
    "2": "The mailbox cannot take the message: reach the recipient in another way.",
    "3.4": "The message is too large for the server: make it smaller, and send it again.",
    "3": "The server cannot take the message now: send it again later.",
    "4.6": "The message goes in circles between servers: tell the recipient's administrator.",
    "4.7": "The message could not be delivered in time: send it again later.",
    "4": "The server cannot be reached: send the message again later.",
    "5.3": "The message has too many recipients: send it again to fewer of them.",
    "5": "The servers did not understand each other: tell your administrator.",
    "6.7": "The server does not take letters that are not ASCII in the addresses of a message, or in its"
    " header: send it without them.",
    "6": "The server does not take the contents of the message: send it in another form.",
    "7": "The server's rules do not allow the message: ask the recipient or the administrator why.",
}
"""By subject and detail of the enhanced code, or by its subject alone."""

_UNKNOWN: Final = "The server did not take the message: its reply says why."


def subject(statuses: Sequence[RecipientStatus]) -> str:
    """The report's subject: that of the worst news."""
    actions = {status.action for status in statuses}
    return next(_SUBJECTS[action] for action in Action if action in actions)


def headline(action: Action) -> str:
    """The sentence before the recipients for whom the same happened."""
    return _HEADLINES[action]


def explanation(action: Action, outcome: Outcome, until: str, remote: str) -> str:
    """What happened for one recipient, and what to do.

    :param until: the date until which it will be tried; "" if that is not known.
    :param remote: the server that gave the reply; "" if this one did.
    """
    if action is Action.DELAYED:
        return f"It will be tried {f'until {until}' if until else 'again'}: you need not do anything."
    if action is Action.RELAYED:
        where = printable(remote) or "The next server"
        return f"{where} took it, but does not report deliveries: you may hear nothing more."
    if action is Action.FAILED:
        topic, _, detail = outcome.enhanced.partition(".")[2].partition(".")
        return _WHY.get(f"{topic}.{detail}") or _WHY.get(topic) or _UNKNOWN
    return ""
