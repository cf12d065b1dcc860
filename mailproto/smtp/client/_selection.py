"""Whom one transaction is for: as many of a message's recipients as the server takes at once."""

from __future__ import annotations

from typing import NamedTuple

from mailproto.domains import canonical_domain
from mailproto.model import Outcome
from mailproto.smtp.client._message import Message
from mailproto.smtp.client._plan import Plan
from mailproto.smtp.wire import Capabilities

__all__ = ["Selection", "select"]


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

    Who cannot be sent to is told so in the message's outcomes.
    """
    outcomes = message.outcomes
    most = capabilities.max_recipients or len(outcomes)
    most_domains = capabilities.max_recipient_domains
    domains: set[str] = set()
    selection = Selection(made.mail, [], [])
    for index, command in enumerate(made.recipients):
        if outcomes[index] is not None:
            continue
        if isinstance(command, Outcome):
            outcomes[index] = command
            continue
        if len(selection.recipients) == most:
            continue
        if most_domains is not None:
            domain = canonical_domain(message.recipients[index].address.domain)
            if domain not in domains and len(domains) == most_domains:
                continue
            domains.add(domain)
        selection.recipients.append(index)
        selection.commands.append(command)
    return selection
