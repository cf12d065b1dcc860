"""How one message can be sent to one server: extensions, parameters, and how many recipients at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

from mailproto.domains import canonical_domain
from mailproto.model import NO_PARAMETERS, Address, Outcome, Parameters, Recipient
from mailproto.smtp.client._content import ContentInfo
from mailproto.smtp.client._message import Message
from mailproto.smtp.wire import Capabilities, UnsafeArgument, ascii_domain, render_path

__all__ = [
    "CHUNKING_THRESHOLD",
    "MAX_RECIPIENTS",
    "Plan",
    "Selection",
    "Unsendable",
    "plan",
    "refused_address",
    "render_address",
    "select",
]

CHUNKING_THRESHOLD = 1 << 20
"""Octets from which on text is sent with BDAT, where that is offered, instead of DATA."""

MAX_RECIPIENTS = 1000
"""Of one transaction: more take long to be said, and few servers take as many (RFC 5321 4.5.3.1.8: 100)."""

MAX_SKIPPED_RECIPIENTS = 1000
"""Recipients left for later because of their domains, after which no others are looked for."""


class Plan(NamedTuple):
    """What all transactions of a message have in common.

    :ivar by_chunks: whether the content goes by BDAT.
    """

    mail: bytes
    by_chunks: bool


def plan(message: Message, capabilities: Capabilities, *, is_verified: bool) -> Plan:
    """What to say.

    SIZE and BODY are ours to choose; parameters of an extension that is not offered are
    dropped where its RFC allows it.

    :param is_verified: whether TLS is on and has shown that the server is who it should be.
    :raises Unsendable: the server does not offer what the message needs, or its sender is no address.
    :raises OSError: the content cannot be read.
    """
    info, sender, parameters = message.content_info, message.sender, message.parameters
    # Addresses first: whatever the content is, with them it cannot be sent (RFC 6531 3.5).
    needs_smtputf8 = _needs_smtputf8(message, capabilities)
    if capabilities.max_size is not None and info.size > capabilities.max_size:
        raise Unsendable(Outcome(552, "5.3.4", f"The server takes {capabilities.max_size} octets at most"))
    by_chunks = "CHUNKING" in capabilities and (info.is_binary or info.size >= CHUNKING_THRESHOLD)
    body = _body(info, capabilities)
    chosen: dict[str, str | None] = {}
    if "SIZE" in capabilities:
        chosen["SIZE"] = str(info.size)
    if body:
        chosen["BODY"] = body
    if needs_smtputf8:
        chosen["SMTPUTF8"] = None
    try:
        if parameters:
            chosen |= kept(parameters, MAIL_PARAMETERS, capabilities, is_verified=is_verified)
        mail = render_path("MAIL FROM", render_address(sender), chosen)
    except UnsafeArgument as error:
        raise Unsendable(Outcome(553, "5.1.7", f"Bad sender: {error}")) from None
    return Plan(mail, by_chunks)


def _body(info: ContentInfo, capabilities: Capabilities) -> str:
    """The BODY parameter, "" for none.

    :raises Unsendable: the server does not offer it; then such content must not be sent (RFC 6152 3,
        RFC 3030 3).
    """
    if info.is_binary:
        if "CHUNKING" in capabilities and "BINARYMIME" in capabilities:
            return "BINARYMIME"
        raise Unsendable(
            Outcome(554, "5.6.3", "The server does not offer BINARYMIME, which this message needs")
        )
    if info.is_ascii:
        return ""
    if "8BITMIME" in capabilities:
        return "8BITMIME"
    raise Unsendable(Outcome(554, "5.6.3", "The server does not offer 8BITMIME, which this message needs"))


def _needs_smtputf8(message: Message, capabilities: Capabilities) -> bool:
    """Whether it is to be asked for: for the whole message, or for one recipient (RFC 6531 3.4).

    :raises Unsendable: the whole message needs it, and the server does not offer it.
    """
    is_international = not (message.content_info.header_is_ascii and message.sender.local.isascii())
    if "SMTPUTF8" in capabilities:
        return is_international or not all(each.address.local.isascii() for each in message.recipients)
    if is_international:
        raise Unsendable(_NEEDS_SMTPUTF8)
    return False


_NEEDS_SMTPUTF8 = Outcome(553, "5.6.7", "The server does not offer SMTPUTF8, which this message needs")


def render_recipient(recipient: Recipient, capabilities: Capabilities) -> bytes | Outcome:
    """Its RCPT, or why there can be none."""
    address, parameters = recipient.address, recipient.parameters
    try:
        passed = kept(parameters, RCPT_PARAMETERS, capabilities) if parameters else NO_PARAMETERS
        if not address:
            raise UnsafeArgument("the null address is no recipient's")
        if (refusal := refused_address(address, capabilities)) is not None:
            return refusal
        return render_path("RCPT TO", render_address(address), passed)
    except UnsafeArgument as error:
        return Outcome(553, "5.1.3", f"Bad recipient: {error}")
    except Unsendable as error:
        return error.outcome


def refused_address(address: Address, capabilities: Capabilities) -> Outcome | None:
    """Why nothing can be sent to an address whatever it is: its local part needs SMTPUTF8 (RFC 6531 3.5)."""
    return None if address.local.isascii() or "SMTPUTF8" in capabilities else _NEEDS_SMTPUTF8


def render_address(address: Address) -> Address:
    """With A-labels, unless the local part needs SMTPUTF8 anyway (RFC 6531 3.2)."""
    if address.domain.isascii() or not address.local.isascii():
        return address
    return Address(address.local, ascii_domain(address.domain))


# -- parameters

_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-]*+")


class Unsendable(Exception):
    """The server cannot take this message, or not for this recipient; the outcome says why."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


_Keep: TypeAlias = Callable[[str | None, Capabilities, bool], bool]
"""Given (value, capabilities, whether the server is verified)."""


def _where_offered(keyword: str) -> _Keep:
    """A parameter that is a wish: without the extension, mail goes without it."""

    def keep(value: str | None, capabilities: Capabilities, is_verified: bool) -> bool:
        return keyword in capabilities

    return keep


def _needed(keyword: str) -> _Keep:
    """A parameter without which the message must not be sent."""

    def keep(value: str | None, capabilities: Capabilities, is_verified: bool) -> bool:
        if keyword not in capabilities:
            raise Unsendable(
                Outcome(555, "5.5.4", f"The server does not offer {keyword}, which this message needs")
            )
        return True

    return keep


def _require_tls(value: str | None, capabilities: Capabilities, is_verified: bool) -> bool:
    """Encryption is not enough: a machine in between could offer that too (RFC 8689 4.2.1)."""
    if not is_verified:
        raise Unsendable(Outcome(550, "5.7.30", "REQUIRETLS: the server's certificate is not verified"))
    if "REQUIRETLS" not in capabilities:
        raise Unsendable(
            Outcome(550, "5.7.30", "The server does not offer REQUIRETLS, which this message needs")
        )
    return True


def _deliver_by(value: str | None, capabilities: Capabilities, is_verified: bool) -> bool:
    """BY in the mode R must be honoured; in the mode N it may be dropped (RFC 2852 4.1.4.2)."""
    if "DELIVERBY" in capabilities:
        return True
    if ";R" in (value or "").upper():
        raise Unsendable(
            Outcome(555, "5.5.4", "The server does not offer DELIVERBY, which this message needs")
        )
    return False


def _never(value: str | None, capabilities: Capabilities, is_verified: bool) -> bool:
    return False


MAIL_PARAMETERS: Final[Mapping[str, _Keep]] = {
    "SIZE": _never,
    "BODY": _never,
    "SMTPUTF8": _never,
    "AUTH": _never,
    "RET": _where_offered("DSN"),
    "ENVID": _where_offered("DSN"),
    "MT-PRIORITY": _where_offered("MT-PRIORITY"),
    "BY": _deliver_by,
    "HOLDFOR": _needed("FUTURERELEASE"),
    "HOLDUNTIL": _needed("FUTURERELEASE"),
    "REQUIRETLS": _require_tls,
}
"""Whether a parameter is passed on; those chosen by `plan` itself never are."""

RCPT_PARAMETERS: Final[Mapping[str, _Keep]] = {
    "NOTIFY": _where_offered("DSN"),
    "ORCPT": _where_offered("DSN"),
    "RRVS": _where_offered("RRVS"),
}


def kept(
    parameters: Parameters,
    table: Mapping[str, _Keep],
    capabilities: Capabilities,
    *,
    is_verified: bool = False,
) -> dict[str, str | None]:
    """Those that are passed on.

    :raises Unsendable: there is one without which the message must not be sent.
    :raises UnsafeArgument: a keyword is none.
    """
    passed: dict[str, str | None] = {}
    for keyword, value in parameters.items():
        if not _KEYWORD.fullmatch(keyword):
            raise UnsafeArgument("not a parameter")
        if (table.get(keyword) or _needed(keyword))(value, capabilities, is_verified):
            passed[keyword] = value
    return passed


# -- recipients


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
    most = min(capabilities.max_recipients or MAX_RECIPIENTS, MAX_RECIPIENTS)
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
                if passed_over == MAX_SKIPPED_RECIPIENTS:
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
