"""Whom one transaction is for: as many of a message's recipients as the server takes at once."""

from __future__ import annotations

from typing import NamedTuple

from mailproto.domains import canonical_domain
from mailproto.model import Outcome
from mailproto.smtp.client._message import Message
from mailproto.smtp.client._plan import Plan, render_recipient
from mailproto.smtp.wire import Capabilities

__all__ = ["Selection", "select"]


MOST_RECIPIENTS = 1000
"""Of one transaction: more take long to be said, and few servers take as many (RFC 5321 4.5.3.1.8: 100)."""

MOST_PASSED_OVER = 1000
"""Recipients left for later because of their domains, after which no others are looked for."""


class Selection(NamedTuple):
    """What `select` has chosen.

    :ivar recipients: by their place in the message.
    :ivar commands: the RCPT of each.
    """

    mail: bytes
    recipients: list[int]
    commands: list[bytes]


def select(made: Plan, message: Message, capabilities: Capabilities) -> Selection:
    """Those that have no outcome yet, within the limits that the server announces (RFC 9422 4).

    Who cannot be sent to is told so in the message's outcomes.  Nothing is done for those who
    come in a later transaction: there may be one for each of thousands.
    """
    outcomes = message.outcomes
    most = min(capabilities.max_recipients or MOST_RECIPIENTS, MOST_RECIPIENTS)
    most_domains = capabilities.max_recipient_domains
    domains: set[str] = set()
    passed_over = 0
    selection = Selection(made.mail, [], [])
    for index, outcome in enumerate(outcomes):
        if outcome is not None:
            continue
        recipient = message.recipients[index]
        if most_domains is not None:
            domain = canonical_domain(recipient.address.domain)
            if domain not in domains and len(domains) == most_domains:
                passed_over += 1
                if passed_over == MOST_PASSED_OVER:
                    break
                continue
        command = render_recipient(recipient, capabilities)
        if isinstance(command, Outcome):
            outcomes[index] = command
            continue
        if most_domains is not None:
            domains.add(domain)
        selection.recipients.append(index)
        selection.commands.append(command)
        if len(selection.recipients) == most:
            break
    return selection
