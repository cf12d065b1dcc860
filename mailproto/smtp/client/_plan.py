"""How one message can be sent to one server: which extensions it needs, and whether they are there."""

from __future__ import annotations

from typing import NamedTuple

from mailproto.model import NO_PARAMETERS, Address, Outcome, Recipient
from mailproto.smtp.client._message import Message
from mailproto.smtp.client._octets import Octets
from mailproto.smtp.client._parameters import MAIL_PARAMETERS, RCPT_PARAMETERS, Unsendable, kept
from mailproto.smtp.wire import Capabilities, UnsafeArgument, ascii_domain, render_path

__all__ = ["CHUNKING_FROM", "Plan", "plan", "refused_address", "render_recipient"]

CHUNKING_FROM = 1 << 20
"""Octets from which on text is sent with BDAT, where that is offered, instead of DATA."""


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
    :raises Unsendable: the server lacks what the message needs, or its sender is no address.
    :raises OSError: the content cannot be read.
    """
    octets, sender, parameters = message.octets, message.sender, message.parameters
    # Addresses first: whatever the content is, with them it cannot be sent (RFC 6531 3.5).
    needs_smtputf8 = _needs_smtputf8(message, capabilities)
    if capabilities.max_size is not None and octets.size > capabilities.max_size:
        raise Unsendable(Outcome(552, "5.3.4", f"The server takes {capabilities.max_size} octets at most"))
    by_chunks = "CHUNKING" in capabilities and (octets.is_binary or octets.size >= CHUNKING_FROM)
    body = _body(octets, capabilities)
    chosen: dict[str, str | None] = {}
    if "SIZE" in capabilities:
        chosen["SIZE"] = str(octets.size)
    if body:
        chosen["BODY"] = body
    if needs_smtputf8:
        chosen["SMTPUTF8"] = None
    try:
        if parameters:
            chosen |= kept(parameters, MAIL_PARAMETERS, capabilities, is_verified=is_verified)
        mail = render_path("MAIL FROM", _on_the_wire(sender), chosen)
    except UnsafeArgument as error:
        raise Unsendable(Outcome(553, "5.1.7", f"Bad sender: {error}")) from None
    return Plan(mail, by_chunks)


def _body(octets: Octets, capabilities: Capabilities) -> str:
    """The BODY parameter, "" for none.

    :raises Unsendable: never is content sent to whom it is not announced to (RFC 6152 3, RFC 3030 3).
    """
    if octets.is_binary:
        if "CHUNKING" in capabilities and "BINARYMIME" in capabilities:
            return "BINARYMIME"
        raise Unsendable(Outcome(554, "5.6.3", "The server lacks BINARYMIME, which this message needs"))
    if octets.is_ascii:
        return ""
    if "8BITMIME" in capabilities:
        return "8BITMIME"
    raise Unsendable(Outcome(554, "5.6.3", "The server lacks 8BITMIME, which this message needs"))


def _needs_smtputf8(message: Message, capabilities: Capabilities) -> bool:
    """Whether it is to be asked for: for everybody's sake, or that of a recipient (RFC 6531 3.4).

    :raises Unsendable: everybody needs what the server does not offer.
    """
    is_international = not (message.octets.header_is_ascii and message.sender.local.isascii())
    if "SMTPUTF8" in capabilities:
        return is_international or not all(each.address.local.isascii() for each in message.recipients)
    if is_international:
        raise Unsendable(_NEEDS_SMTPUTF8)
    return False


_NEEDS_SMTPUTF8 = Outcome(553, "5.6.7", "The server lacks SMTPUTF8, which this message needs")


def render_recipient(recipient: Recipient, capabilities: Capabilities) -> bytes | Outcome:
    """Its RCPT, or why there can be none."""
    address, parameters = recipient.address, recipient.parameters
    try:
        passed = kept(parameters, RCPT_PARAMETERS, capabilities) if parameters else NO_PARAMETERS
        if not address:
            raise UnsafeArgument("nobody has the null address")
        if (refusal := refused_address(address, capabilities)) is not None:
            return refusal
        return render_path("RCPT TO", _on_the_wire(address), passed)
    except UnsafeArgument as error:
        return Outcome(553, "5.1.3", f"Bad recipient: {error}")
    except Unsendable as error:
        return error.outcome


def refused_address(address: Address, capabilities: Capabilities) -> Outcome | None:
    """Why nothing can be sent to an address whatever it is: its local part needs SMTPUTF8 (RFC 6531 3.5)."""
    return None if address.local.isascii() or "SMTPUTF8" in capabilities else _NEEDS_SMTPUTF8


def _on_the_wire(address: Address) -> Address:
    """With A-labels, unless the local part needs SMTPUTF8 anyway (RFC 6531 3.2)."""
    if address.domain.isascii() or not address.local.isascii():
        return address
    return Address(address.local, ascii_domain(address.domain))
