"""Reports to a sender: what became of a message after it was taken (RFC 3461, RFC 3464, RFC 5321 6.1)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mailproto._arguments import check_call, check_line, check_type, wrong_type
from mailproto.content import Content, Octets
from mailproto.delivery._report import ReportWriter
from mailproto.delivery._status import Action, RecipientStatus, only, read
from mailproto.model import NULL_PATH, Address, Envelope, Outcome, Parameters, Recipient
from mailproto.smtp.wire import Returned, mail_options

__all__ = ["Report", "bounce", "report"]


class Report(NamedTuple):
    """A message to send: ``await client.send(*report)``, or `SMTPSender.send`.

    :ivar sender: the null reverse-path, so that no report is ever answered with another one.
    :ivar recipients: one: the sender of the original message.
    :ivar parameters: of MAIL, if the report needs any; `SMTPClient.send` would find them out itself.
    """

    sender: Address
    recipients: tuple[Recipient, ...]
    content: Content
    parameters: Parameters


def bounce(
    envelope: Envelope,
    outcomes: Sequence[Outcome],
    content: Octets | None = None,
    *,
    hostname: str = "",
    clock: Callable[[], float] = time.time,
) -> Report | None:
    """The report that tells a sender for whom a message was not taken, after it was accepted::

        outcomes = await self.sender.send(envelope.sender, envelope.recipients, content)
        report = bounce(envelope, outcomes, content)
        if report is not None:
            await self.sender.send(*report)

    Use it where nobody else will tell: SMTP answers 250 if only some recipients are refused, and a
    delivery may accept a message before it knows.  Every outcome that is not accepted counts as final,
    because nobody tries again; `report` has the other kinds.

    :param outcomes: one for each of ``envelope.recipients``.
    :param content: the message, of which the header or everything is returned; None to return nothing.
    :param hostname: this server's name; by default that of the session.
    :param clock: gives the seconds since the epoch.
    :returns: None if there is nothing to tell: all were accepted, the message is itself a report (its
        reverse-path is null), or the sender wants no report (NOTIFY).
    :raises TypeError: an argument is of a wrong type.
    :raises ValueError: the outcomes are not as many as the recipients.
    """
    check_type("envelope", envelope, Envelope, "an Envelope")
    outcomes = _checked(outcomes, len(envelope.recipients))
    content = None if content is None else Content.of(content)
    check_line("hostname", hostname)
    check_call("clock", clock, "a function that gives seconds, such as time.time", 0)
    statuses = [
        RecipientStatus(recipient, outcome)
        for recipient, outcome in zip(envelope.recipients, outcomes, strict=True)
        if not outcome.accepted
    ]
    return report(envelope, statuses, content, hostname=hostname, clock=clock)


def _checked(outcomes: Sequence[Outcome], number: int) -> Sequence[Outcome]:
    takes = "a list of an Outcome for each recipient"
    if isinstance(outcomes, Outcome):
        raise wrong_type("outcomes", outcomes, takes, "write [outcome]")
    if isinstance(outcomes, (str, bytes)) or not isinstance(outcomes, Sequence):
        raise wrong_type("outcomes", outcomes, takes)
    for outcome in outcomes:
        check_type("each of outcomes", outcome, Outcome, "an Outcome")
    if len(outcomes) != number:
        raise ValueError(f"outcomes must be as many as the recipients, {number}, not {len(outcomes)}")
    return outcomes


def report(
    envelope: Envelope,
    statuses: Sequence[RecipientStatus],
    content: Octets | None = None,
    *,
    hostname: str = "",
    arrived: float | None = None,
    clock: Callable[[], float] = time.time,
) -> Report | None:
    """A report of any kind: failures, delays and successes, in one message (RFC 3464).

    The message is returned as a whole if something failed, if it has at most `MAX_RETURNED` octets, and
    if the sender neither asks for the header alone (RET, RFC 3461 4.3) nor demands TLS (REQUIRETLS, which
    the report then demands, too, RFC 8689 5); otherwise only its header is.

    :param statuses: those about which the sender wants no report are left out.
    :param arrived: when the message came, in seconds since the epoch; None to leave that out.
    :returns: None if there is nothing to tell, as for `bounce`.
    """
    wanted = [status for status in statuses if status.is_wanted]
    if not envelope.sender or not wanted:
        return None
    ret = read(lambda: mail_options(only(envelope.parameters, "RET")).returned)
    is_failure = any(status.action is Action.FAILED for status in wanted)
    writer = ReportWriter(
        envelope,
        wanted,
        hostname=hostname or envelope.session.hostname,
        envelope_id=read(lambda: mail_options(only(envelope.parameters, "ENVID")).envelope_id),
        arrived=arrived,
        now=clock(),
    )
    parameters: dict[str, str | None] = {}
    demands_tls = "REQUIRETLS" in envelope.parameters
    if demands_tls:  # the report is protected as the message, and has no more of it (RFC 8689 5)
        parameters["REQUIRETLS"] = None
    is_whole = is_failure and ret is not Returned.HEADERS and not demands_tls
    octets = writer.write(content, is_whole=is_whole)
    if not octets.isascii():
        parameters["BODY"] = "8BITMIME"
    if writer.needs_smtputf8:
        parameters["SMTPUTF8"] = None
    recipient = Recipient(envelope.sender, {"NOTIFY": "NEVER"})
    return Report(NULL_PATH, (recipient,), Content(octets), parameters)
