"""Limits for the clients of an SMTP server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from mailproto.connection.limits import Limits
from mailproto.smtp.wire import SMTPWireLimits

__all__ = ["MAX_MESSAGE_SIZE", "TRUSTED_CLIENT_LIMITS", "SMTPLimits"]

MAX_MESSAGE_SIZE = 50 * 1024 * 1024
"""The default for the most octets of a message."""

_WAIT_FROM_ELSEWHERE = 2.0
_MESSAGES_FROM_ELSEWHERE = 10_000
_RECIPIENTS_FROM_ELSEWHERE = 50_000


@dataclass(frozen=True, slots=True)
class SMTPLimits(Limits):
    """The limits of every server, and those of SMTP; in seconds, octets and numbers.

    `mailproto.connection.limits.Limits` describes those of every server: connections, TLS, closing.

    :ivar first_command: the idle timeout before the first command: at least 300, as is ``idle``
        (RFC 5321 4.5.3.2.7).
    :ivar wire: lengths of lines and addresses.
    :ivar recipients: recipients of a message; more get 452 4.5.3 (RFC 5321 4.5.3.1.8: at least 100).
    :ivar transactions: MAIL commands of a connection; one more closes it with 421.
    :ivar errors: unknown and misplaced commands of a connection.
    :ivar refused_recipients: permanently refused RCPTs of a connection, against guessing of addresses.
    :ivar idle_commands: commands that send no mail (NOOP, RSET, VRFY, HELP, greetings) between two
        messages.
    :ivar authentication_failures: how many failed logins close the connection (RFC 4954 4); one password
        that is tried with several mechanisms counts once.
    :ivar minimum_rate: octets of content per second, measured over ``idle`` seconds; a slower client
        counts as idle.
    :ivar delivery: seconds that each call of the delivery, and each command of your own, may take; then it
        is cancelled, and the client gets 451.  Clients wait for 5 minutes,
        and for 10 after the content (RFC 5321 4.5.3.2).
    :ivar memory: octets of content that are kept in memory; a larger content is spooled to a file.
    :ivar spooled: octets of content that all connections of a factory hold together, in memory and in files,
        from their arrival until the delivery has ended; beyond it, a message gets 452 4.3.1.  One IPv4
        address or IPv6 /64 network from elsewhere may hold only as much as is left for all others, which is
        half if it is alone: so it cannot use up the room.  At least twice the largest message; 0 for no
        limit.
    :ivar header: octets of a message's header section; more get 552.  At most ``memory``.
    :ivar greeting_wait: seconds before the greeting.  A client that sends commands in this time does
        not wait for greetings, as spam programs do, and is refused (554).  None means 2, and 0 for
        clients on this machine and over transports in memory.  The default of submission and LMTP is 0.
        A listed proxy's own connection never waits.
    :ivar messages_per_peer: MAIL commands in ``rate_period`` from one IPv4 address, one IPv6 /64
        network, or all Unix sockets; more get 450 4.7.1, and the client tries again later.  0 for no limit,
        here and below.  None means 10,000, and no limit for clients on this machine and over transports in
        memory: a single sender can then not fill the disk in a night, and a large provider is not slowed
        down.  The default of submission and LMTP is 0.  A listed proxy's own connection is not counted.
    :ivar messages_per_account: MAIL commands in ``rate_period`` of one account, from all addresses.  There
        is no limit by default: how much your accounts may send is your decision.
    :ivar recipients_per_peer: RCPT commands, counted as ``messages_per_peer``.  None means 50,000, with the
        same exceptions.
    :ivar recipients_per_account: RCPT commands, counted as ``messages_per_account``.
    :ivar rate_period: the time in which these are counted: an hour.
    :ivar hops: a message with so many Received fields goes in circles: at least 100 (RFC 5321 6.3).
    """

    ABOVE_0: ClassVar[frozenset[str]] = Limits.ABOVE_0 | {
        "recipients",
        "transactions",
        "delivery",
        "header",
        "hops",
        "rate_period",
    }

    first_command: float = 300
    wire: SMTPWireLimits = field(default_factory=SMTPWireLimits)
    recipients: int = 1000
    transactions: int = 100_000
    errors: int = 20
    refused_recipients: int = 100
    idle_commands: int = 1000
    authentication_failures: int = 3
    minimum_rate: int = 500
    delivery: float = 300
    memory: int = 1 << 18
    spooled: int = 1 << 30
    header: int = 1 << 18
    hops: int = 100
    greeting_wait: float | None = None
    messages_per_peer: int | None = None
    messages_per_account: int = 0
    recipients_per_peer: int | None = None
    recipients_per_account: int = 0
    rate_period: float = 3600

    def wait_before_greeting(self, *, is_near: bool) -> float:
        """The ``greeting_wait`` for a client that `Peer.is_near`, or elsewhere."""
        wait = self.greeting_wait
        if wait is None:
            return 0 if is_near else _WAIT_FROM_ELSEWHERE
        return wait

    def messages_of_peer(self, *, is_near: bool) -> int:
        """The value of ``messages_per_peer`` for a client that `Peer.is_near`, or elsewhere."""
        return _of_peer(self.messages_per_peer, _MESSAGES_FROM_ELSEWHERE, is_near)

    def recipients_of_peer(self, *, is_near: bool) -> int:
        """The value of ``recipients_per_peer`` for a client that `Peer.is_near`, or elsewhere."""
        return _of_peer(self.recipients_per_peer, _RECIPIENTS_FROM_ELSEWHERE, is_near)


def _of_peer(limit: int | None, from_elsewhere: int, is_near: bool) -> int:
    if limit is None:
        return 0 if is_near else from_elsewhere
    return limit


TRUSTED_CLIENT_LIMITS = SMTPLimits(greeting_wait=0, messages_per_peer=0, recipients_per_peer=0)
"""For submission and LMTP: known clients need not wait for the greeting, and send as much as they like."""
