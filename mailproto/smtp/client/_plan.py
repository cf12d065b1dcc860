"""How one message can be sent to one server: which extensions it needs, and whether they are there."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mailproto.content import Content, chunks
from mailproto.model import NO_PARAMETERS, Address, Outcome, Parameters, Recipient
from mailproto.smtp.wire import Capabilities, ChunkedText, UnsafeArgument, ascii_domain, render_path

__all__ = ["CHUNKING_FROM", "Body", "Plan", "Unsendable", "plan"]

CHUNKING_FROM = 1 << 20
"""Octets from which on text is sent with BDAT, where that is offered, instead of DATA."""


class Body(enum.Enum):
    """How the content is sent."""

    DATA = "DATA"
    CHUNKS = "BDAT"
    BINARY = "BDAT, BODY=BINARYMIME"


class Unsendable(Exception):
    """The server cannot take this message; the outcome is everybody's."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


class Plan(NamedTuple):
    """A transaction's commands.

    :ivar recipients: an RCPT for each recipient, or why there can be none.
    """

    mail: bytes
    recipients: Sequence[bytes | Outcome]
    body: Body


def plan(
    sender: Address,
    recipients: Sequence[Recipient],
    content: Content,
    parameters: Parameters,
    capabilities: Capabilities,
    *,
    is_encrypted: bool,
) -> Plan:
    """What to say.

    :param parameters: of MAIL.  SIZE and BODY are ours to choose, but that BODY=BINARYMIME
        says that bare CR and LF are meant; those of an extension that is not offered are
        dropped where its RFC allows it.
    :raises Unsendable: the server lacks what the message needs, or an address is none.
    """
    size = len(content)
    if capabilities.max_size is not None and size > capabilities.max_size:
        raise Unsendable(Outcome(552, "5.3.4", f"The server takes {capabilities.max_size} octets at most"))
    body, body_parameter, ascii_header = _body(content, parameters, capabilities)
    chosen: dict[str, str | None] = {}
    if "SIZE" in capabilities:
        chosen["SIZE"] = str(size)
    if body_parameter:
        chosen["BODY"] = body_parameter
    if not (
        ascii_header and sender.local.isascii() and all(each.address.local.isascii() for each in recipients)
    ):
        if "SMTPUTF8" not in capabilities:
            raise Unsendable(Outcome(553, "5.6.7", "The server lacks SMTPUTF8, which this message needs"))
        chosen["SMTPUTF8"] = None
    if parameters:
        chosen |= _kept(parameters, capabilities, _MAIL_PARAMETERS, is_encrypted=is_encrypted)
    try:
        mail = render_path("MAIL FROM", _on_the_wire(sender), chosen)
    except UnsafeArgument as error:
        raise Unsendable(Outcome(553, "5.1.7", f"Bad sender: {error}")) from None
    return Plan(mail, [_recipient(each, capabilities) for each in recipients], body)


def _recipient(recipient: Recipient, capabilities: Capabilities) -> bytes | Outcome:
    parameters = recipient.parameters
    try:
        kept = _kept(parameters, capabilities, _RCPT_PARAMETERS) if parameters else NO_PARAMETERS
        if not recipient.address:
            raise UnsafeArgument("nobody has the null address")
        return render_path("RCPT TO", _on_the_wire(recipient.address), kept)
    except UnsafeArgument as error:
        return Outcome(553, "5.1.3", f"Bad recipient: {error}")
    except Unsendable as error:
        return error.outcome


def _on_the_wire(address: Address) -> Address:
    """With A-labels, unless the local part needs SMTPUTF8 anyway (RFC 6531 3.2)."""
    if address.domain.isascii() or not address.local.isascii():
        return address
    return Address(address.local, ascii_domain(address.domain))


def _body(content: Content, parameters: Parameters, capabilities: Capabilities) -> tuple[Body, str, bool]:
    """(how it is sent, the BODY parameter, whether its header is ASCII).

    :raises Unsendable: never is content sent to whom it is not announced to (RFC 6152 3, RFC 3030 3).
    """
    declared_binary = (parameters.get("BODY") or "").upper() == "BINARYMIME"
    chunking = "CHUNKING" in capabilities
    if content.find(b"\0") >= 0 or (declared_binary and _has_bare_newlines(content)):
        if not (chunking and "BINARYMIME" in capabilities):
            raise Unsendable(Outcome(554, "5.6.3", "The server lacks BINARYMIME, which this message needs"))
        return Body.BINARY, "BINARYMIME", _has_ascii_header(content)
    body = Body.CHUNKS if chunking and len(content) >= CHUNKING_FROM else Body.DATA
    if content.isascii() if isinstance(content, bytes) else _is_ascii(content):
        return body, "", True
    if "8BITMIME" not in capabilities:
        raise Unsendable(Outcome(554, "5.6.3", "The server lacks 8BITMIME, which this message needs"))
    return body, "8BITMIME", _has_ascii_header(content)


def _has_bare_newlines(content: Content) -> bool:
    text = ChunkedText(normalise=False)
    for piece in chunks(content):
        text.check(piece)
        if text.fault is not None:
            return True
    text.finish()
    return text.fault is not None


def _has_ascii_header(content: Content) -> bool:
    end = content.find(b"\r\n\r\n")
    return _is_ascii(content, end if end >= 0 else None)


def _is_ascii(content: Content, stop: int | None = None) -> bool:
    return all(piece.isascii() for piece in chunks(content, 0, stop))


_Keep = Callable[[str | None, Capabilities, bool], bool]


def _where_offered(keyword: str) -> _Keep:
    """A parameter that is a wish: without the extension, mail goes without it."""

    def keep(value: str | None, capabilities: Capabilities, is_encrypted: bool) -> bool:
        return keyword in capabilities

    return keep


def _needed(keyword: str) -> _Keep:
    """A parameter without which the message must not be sent."""

    def keep(value: str | None, capabilities: Capabilities, is_encrypted: bool) -> bool:
        if keyword not in capabilities:
            raise Unsendable(Outcome(555, "5.5.4", f"The server lacks {keyword}, which this message needs"))
        return True

    return keep


def _require_tls(value: str | None, capabilities: Capabilities, is_encrypted: bool) -> bool:
    if not is_encrypted or "REQUIRETLS" not in capabilities:
        raise Unsendable(Outcome(550, "5.7.30", "The server lacks REQUIRETLS, which this message needs"))
    return True


def _deliver_by(value: str | None, capabilities: Capabilities, is_encrypted: bool) -> bool:
    """BY in the mode R must be honoured; in the mode N it may be dropped (RFC 2852 4.1.4.2)."""
    if "DELIVERBY" in capabilities:
        return True
    if ";R" in (value or "").upper():
        raise Unsendable(Outcome(555, "5.5.4", "The server lacks DELIVERBY, which this message needs"))
    return False


def _never(value: str | None, capabilities: Capabilities, is_encrypted: bool) -> bool:
    return False


_MAIL_PARAMETERS: Mapping[str, _Keep] = {
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

_RCPT_PARAMETERS: Mapping[str, _Keep] = {
    "NOTIFY": _where_offered("DSN"),
    "ORCPT": _where_offered("DSN"),
    "RRVS": _where_offered("RRVS"),
}


def _kept(
    parameters: Parameters,
    capabilities: Capabilities,
    table: Mapping[str, _Keep],
    *,
    is_encrypted: bool = False,
) -> dict[str, str | None]:
    return {
        keyword: value
        for keyword, value in parameters.items()
        if (table.get(keyword) or _needed(keyword))(value, capabilities, is_encrypted)
    }
