"""Checking the parameters of MAIL and RCPT (RFC 5321 4.1.1.11)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from mailproto.errors import MessageTooLarge, Refused
from mailproto.model import Parameters
from mailproto.smtp.server._offers import Offers
from mailproto.smtp.wire import MailOptions, mail_options, rcpt_options

__all__ = ["check_mail", "check_rcpt"]

OptionsT = TypeVar("OptionsT")


def check_mail(parameters: Parameters, offers: Offers, now: float) -> MailOptions:
    """Read the parameters of MAIL.

    :param now: seconds since the epoch.
    :raises Refused: 555 for a keyword that is not offered, 501 for a value that is not valid, 554 for
        a value beyond what is offered.
    :raises MessageTooLarge: SIZE says so.
    """
    options = _read(mail_options, parameters, offers.mail_keywords)
    if options.size is not None and options.size > offers.max_message_size:
        raise MessageTooLarge("Message exceeds fixed maximum message size")
    if options.body == "BINARYMIME" and not offers.service_extensions.binary_mime:
        raise Refused(501, "5.5.4", "BODY needs 7BIT or 8BITMIME")
    by = options.deliver_by
    if by is not None and by.returned and by.seconds < (offers.service_extensions.deliver_by or 0):
        raise Refused(554, "5.4.7", "BY is less than can be promised")
    wait = options.hold_for or 0
    if options.hold_until is not None:
        wait = options.hold_until - int(now)
    if wait > (offers.max_hold or 0):
        raise Refused(554, "5.5.4", "The time of release is too far off")
    return options


def check_rcpt(parameters: Parameters, offers: Offers) -> None:
    """Check the parameters of RCPT.

    :raises Refused: as in `check_mail`.
    """
    _read(rcpt_options, parameters, offers.rcpt_keywords)


def _read(
    read: Callable[[Parameters], OptionsT], parameters: Parameters, offered: Collection[str]
) -> OptionsT:
    for keyword in parameters:
        if keyword not in offered:
            raise Refused(555, "5.5.4", "Parameter not recognised or not implemented")
    try:
        return read(parameters)
    except ValueError as error:
        raise Refused(501, "5.5.4", str(error)) from None
