"""How a message can be sent to a server: extensions, parameters, and recipients of a transaction."""

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
    "RCPT_PARAMETERS",
    "STEP_PARAMETERS",
    "Plan",
    "Selection",
    "Unsendable",
    "check_size",
    "kept",
    "plan",
    "refused_address",
    "render_address",
    "select",
]

CHUNKING_THRESHOLD = 1 << 20
"""Text of at least so many octets is sent with BDAT instead of DATA, if the server offers CHUNKING."""

MAX_RECIPIENTS = 1000
"""The most recipients of a transaction; few servers take as many (RFC 5321 4.5.3.1.8: 100)."""

MAX_SKIPPED_RECIPIENTS = 1000
"""How many recipients are passed over because of their domains before a transaction is full."""


class Plan(NamedTuple):
    """What all transactions of a message have in common.

    :ivar by_chunks: whether the content is sent with BDAT.
    """

    mail: bytes
    by_chunks: bool


def plan(message: Message, capabilities: Capabilities, *, is_verified: bool) -> Plan:
    """Decide how to send a message.

    The client sets SIZE and BODY itself.  Parameters of an extension that the server does not offer
    are dropped if the extension's RFC allows that.

    :param is_verified: whether TLS is on, and the certificate was compared with the server's name.
    :raises Unsendable: the server does not offer what the message needs, or the sender is not an
        address.
    :raises OSError: the content cannot be read.
    """
    info, sender, parameters = message.content_info, message.sender, message.parameters
    # Addresses come first: if they cannot be sent, the content does not matter (RFC 6531 3.5).
    needs_smtputf8 = _needs_smtputf8(message, capabilities)
    check_size(info.size, capabilities)
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


def check_size(octets: int, capabilities: Capabilities) -> None:
    """:raises Unsendable: the server does not take so many octets (RFC 1870 6.1)."""
    if capabilities.max_size is not None and octets > capabilities.max_size:
        raise Unsendable(Outcome(552, "5.3.4", f"The server takes {capabilities.max_size} octets at most"))


def _body(info: ContentInfo, capabilities: Capabilities) -> str:
    """The BODY parameter; "" for none.

    :raises Unsendable: the server does not offer it, so such content must not be sent (RFC 6152 3,
        RFC 3030 3).
    """
    if info.is_binary:
        if "CHUNKING" in capabilities and "BINARYMIME" in capabilities:
            return "BINARYMIME"
        raise Unsendable(_not_offered("BINARYMIME"))
    if info.is_ascii:
        return ""
    if "8BITMIME" in capabilities:
        return "8BITMIME"
    raise Unsendable(_not_offered("8BITMIME"))


def _not_offered(keyword: str) -> Outcome:
    return Outcome(554, "5.6.3", f"The server does not offer {keyword}, which this message needs")


def _needs_smtputf8(message: Message, capabilities: Capabilities) -> bool:
    """Whether MAIL needs SMTPUTF8, because of the message or of a recipient (RFC 6531 3.4).

    :raises Unsendable: the message itself needs it, and the server does not offer it.
    """
    is_international = not (message.content_info.header_is_ascii and message.sender.local.isascii())
    if "SMTPUTF8" in capabilities:
        return is_international or not all(each.address.local.isascii() for each in message.recipients)
    if is_international:
        raise Unsendable(_NEEDS_SMTPUTF8)
    return False


_NEEDS_SMTPUTF8 = Outcome(553, "5.6.7", "The server does not offer SMTPUTF8, which this message needs")


def render_recipient(recipient: Recipient, capabilities: Capabilities) -> bytes | Outcome:
    """The RCPT command, or the outcome if there can be none."""
    address, parameters = recipient.address, recipient.parameters
    try:
        passed = kept(parameters, RCPT_PARAMETERS, capabilities) if parameters else NO_PARAMETERS
        if not address:
            raise UnsafeArgument("the null address cannot be a recipient")
        if (refusal := refused_address(address, capabilities)) is not None:
            return refusal
        return render_path("RCPT TO", render_address(address), passed)
    except UnsafeArgument as error:
        return Outcome(553, "5.1.3", f"Bad recipient: {error}")
    except Unsendable as error:
        return error.outcome


def refused_address(address: Address, capabilities: Capabilities) -> Outcome | None:
    """The outcome if the server cannot take the address: its local part needs SMTPUTF8 (RFC 6531 3.5)."""
    return None if address.local.isascii() or "SMTPUTF8" in capabilities else _NEEDS_SMTPUTF8


def render_address(address: Address) -> Address:
    """The address with A-labels, unless its local part needs SMTPUTF8 anyway (RFC 6531 3.2)."""
    if address.domain.isascii() or not address.local.isascii():
        return address
    return Address(address.local, ascii_domain(address.domain))


# -- parameters

_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-]*+")


class Unsendable(Exception):
    """The server cannot take this message, or not for this recipient; ``outcome`` says why."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


_Keep: TypeAlias = Callable[[str | None, Capabilities, bool], bool]
"""Whether a parameter is passed on; called with (value, capabilities, is_verified)."""


def _where_offered(keyword: str) -> _Keep:
    """A parameter that is only a wish: without the extension, it is left out."""

    def keep(value: str | None, capabilities: Capabilities, is_verified: bool) -> bool:
        return keyword in capabilities

    return keep


def _needed(keyword: str) -> _Keep:
    """A parameter that is needed: without the extension, the message must not be sent."""

    def keep(value: str | None, capabilities: Capabilities, is_verified: bool) -> bool:
        if keyword not in capabilities:
            raise Unsendable(
                Outcome(555, "5.5.4", f"The server does not offer {keyword}, which this message needs")
            )
        return True

    return keep


def _require_tls(value: str | None, capabilities: Capabilities, is_verified: bool) -> bool:
    """REQUIRETLS needs a verified certificate: a machine in between could encrypt, too (RFC 8689 4.2.1)."""
    if not is_verified:
        raise Unsendable(Outcome(550, "5.7.30", "REQUIRETLS: the server's certificate is not verified"))
    if "REQUIRETLS" not in capabilities:
        raise Unsendable(
            Outcome(550, "5.7.30", "The server does not offer REQUIRETLS, which this message needs")
        )
    return True


def _deliver_by(value: str | None, capabilities: Capabilities, is_verified: bool) -> bool:
    """BY must be honoured in mode R, and may be dropped in mode N (RFC 2852 4.1.4.2)."""
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
"""Whether a parameter is passed on; parameters that `plan` itself sets never are."""


def _body_offered(value: str | None, capabilities: Capabilities, is_verified: bool) -> bool:
    """BODY as the user of single commands gives it; 7BIT is the default."""
    needed = {"8BITMIME": ("8BITMIME",), "BINARYMIME": ("BINARYMIME", "CHUNKING")}
    for keyword in needed.get((value or "").upper(), ()):
        if keyword not in capabilities:
            raise Unsendable(_not_offered(keyword))
    return "8BITMIME" in capabilities


def _smtputf8(value: str | None, capabilities: Capabilities, is_verified: bool) -> bool:
    if "SMTPUTF8" not in capabilities:
        raise Unsendable(_NEEDS_SMTPUTF8)
    return True


STEP_PARAMETERS: Final[Mapping[str, _Keep]] = {
    **MAIL_PARAMETERS,
    "SIZE": _where_offered("SIZE"),
    "BODY": _body_offered,
    "SMTPUTF8": _smtputf8,
    "AUTH": _where_offered("AUTH"),
}
"""Whether a parameter of a MAIL that is sent alone is passed on: nothing else sets SIZE, BODY, SMTPUTF8."""

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
    """The parameters that are passed on.

    :raises Unsendable: the server does not offer the extension of a needed parameter.
    :raises UnsafeArgument: a keyword is not valid.
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
    """The result of `select`.

    :ivar recipients: indexes of the message's recipients.
    :ivar commands: the RCPT command of each.
    """

    mail: bytes
    recipients: list[int]
    commands: list[bytes]


def select(made: Plan, message: Message, capabilities: Capabilities) -> Selection:
    """Choose recipients for a transaction, within the limits that the server announces (RFC 9422 4).

    A recipient that cannot be sent to gets its outcome here.  Recipients of later transactions cost
    nothing here, because thousands of recipients may need thousands of transactions.
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
