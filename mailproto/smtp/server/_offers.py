"""The extensions offered to a client: EHLO's reply, and the parameters that belong to them."""

from __future__ import annotations

import time
from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property

from mailproto.model import NO_SERVICE_EXTENSIONS, ServiceExtensions
from mailproto.smtp.wire import XCLIENT_ATTRIBUTES

__all__ = ["Offers"]

_MAX_LIMIT = 999_999
"""The largest limit that RFC 9422 can announce; a greater limit is not announced."""


@dataclass(frozen=True)
class Offers:
    """The extensions offered in the current state of a session.

    :ivar extended: whether the client has said EHLO or LHLO; otherwise all parameters are unknown.
    :ivar max_message_size: octets of a message, for SIZE (RFC 1870).
    :ivar recipients: the most recipients of a message, for LIMITS (RFC 9422).
    :ivar transactions: the most transactions of a connection, for LIMITS.
    :ivar mechanisms: the mechanisms of AUTH, best first; if there are none, AUTH is not offered.
    :ivar service_extensions: those of the delivery.  REQUIRETLS also needs ``encrypted``, and
        FUTURERELEASE needs ``submission``.
    :ivar verbs: which of VRFY, EXPN and ETRN there are.
    :ivar own_verbs: the commands that a user has added.
    :ivar capabilities: what a user wants to be announced.
    """

    extended: bool
    max_message_size: int
    recipients: int
    transactions: int
    starttls: bool
    mechanisms: tuple[str, ...]
    xclient: bool = False
    encrypted: bool = False
    submission: bool = False
    service_extensions: ServiceExtensions = NO_SERVICE_EXTENSIONS
    verbs: tuple[str, ...] = ()
    own_verbs: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()

    @property
    def require_tls(self) -> bool:
        """Whether REQUIRETLS is offered: only inside TLS (RFC 8689 2)."""
        return self.encrypted and self.service_extensions.require_tls

    @property
    def max_hold(self) -> int | None:
        """The longest hold of FUTURERELEASE in seconds; None if it is not offered (RFC 4865)."""
        return self.service_extensions.future_release if self.submission else None

    def lines(self, now: float) -> list[str]:
        """The extensions in the form of EHLO's and LHLO's reply (RFC 5321 4.1.1.1).

        :param now: seconds since the epoch.
        """
        service_extensions = self.service_extensions
        lines = ["PIPELINING", f"SIZE {self.max_message_size}", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING"]
        if limits := self._limits():
            lines.append(f"LIMITS {limits}")
        if service_extensions.binary_mime:
            lines.append("BINARYMIME")
        if service_extensions.smtputf8:
            lines.append("SMTPUTF8")
        if self.starttls:
            lines.append("STARTTLS")
        if self.mechanisms:
            lines.append(f"AUTH {' '.join(self.mechanisms)}")
        if service_extensions.dsn:
            lines.append("DSN")
        if self.require_tls:
            lines.append("REQUIRETLS")
        if service_extensions.deliver_by is not None:
            lines.append(
                f"DELIVERBY {service_extensions.deliver_by}" if service_extensions.deliver_by else "DELIVERBY"
            )
        if service_extensions.mt_priority is not None:
            lines.append(f"MT-PRIORITY {service_extensions.mt_priority}".rstrip())
        if self.max_hold is not None:
            until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + self.max_hold))
            lines.append(f"FUTURERELEASE {self.max_hold} {until}")
        if self.xclient:
            lines.append(f"XCLIENT {' '.join(XCLIENT_ATTRIBUTES)}")
        return [*lines, *self.verbs, *self.capabilities, "HELP"]

    def _limits(self) -> str:
        """The parameters of LIMITS; a limit that does not exist is not named (RFC 9422 4)."""
        limits = (("RCPTMAX", self.recipients), ("MAILMAX", self.transactions))
        return " ".join(f"{name}={number}" for name, number in limits if number <= _MAX_LIMIT)

    @cached_property
    def mail_keywords(self) -> Set[str]:
        """The known parameters of MAIL."""
        if not self.extended:
            return set()
        service_extensions = self.service_extensions
        offered = {
            "SIZE": True,
            "BODY": True,
            "SMTPUTF8": service_extensions.smtputf8,
            "AUTH": bool(self.mechanisms),
            "RET": service_extensions.dsn,
            "ENVID": service_extensions.dsn,
            "REQUIRETLS": self.require_tls,
            "BY": service_extensions.deliver_by is not None,
            "MT-PRIORITY": service_extensions.mt_priority is not None,
            "HOLDFOR": self.max_hold is not None,
            "HOLDUNTIL": self.max_hold is not None,
        }
        return {keyword for keyword, is_offered in offered.items() if is_offered}

    @cached_property
    def rcpt_keywords(self) -> Set[str]:
        """The known parameters of RCPT."""
        return {"NOTIFY", "ORCPT"} if self.extended and self.service_extensions.dsn else set()
