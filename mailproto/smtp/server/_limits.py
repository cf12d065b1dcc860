"""What a client may use of an SMTP server."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailproto.connection import Limits
from mailproto.smtp.wire import SMTPWireLimits

__all__ = ["TRUSTED_CLIENT_LIMITS", "SMTPLimits"]

_WAIT_FROM_ELSEWHERE = 2.0


@dataclass(frozen=True, slots=True)
class SMTPLimits(Limits):
    """Besides what every server limits: seconds, octets and numbers.

    :ivar first_command: as ``idle``: at least 300 (RFC 5321 4.5.3.2.7).
    :ivar wire: lengths of lines and addresses.
    :ivar recipients: of one message; more get 452 4.5.3 (RFC 5321 4.5.3.1.8: at least 100).
    :ivar transactions: MAIL commands of one connection; then it is ended with 421.
    :ivar errors: misunderstood and misplaced commands of one connection.
    :ivar refused_recipients: RCPTs refused for good, of one connection: guessing addresses
        ends here.
    :ivar idle_commands: commands without use (NOOP, RSET, VRFY, HELP, greetings) between two
        messages.
    :ivar authentication_failures: of one connection (RFC 4954 4).
    :ivar minimum_rate: octets of content a second, over any ``idle`` seconds: a client that
        drips is as idle as one that is silent.
    :ivar memory: octets of content that are kept in memory; more are spooled to a file.
    :ivar header: octets of a message's header section; more get 552.  At most ``memory``.
    :ivar greeting_wait: seconds before the greeting; whoever talks within them is a machine
        that does not listen, and is sent away (554).  None for 2, and for none to clients on
        this machine; 0 by default for submission and LMTP.  Never of a listed proxy without a client.
    :ivar messages_per_peer: MAIL commands in ``rate_period``, of one IPv4 address, one IPv6 /64,
        or Unix sockets; more get 450 4.7.1.  0 for no limit, here and below.
    :ivar messages_per_account: of one account, from wherever.
    :ivar recipients_per_peer: RCPT commands, counted likewise.
    :ivar recipients_per_account:
    :ivar rate_period: seconds.
    :ivar hops: Received fields of a message that goes in circles: at least 100 (RFC 5321 6.3).
    """

    first_command: float = 300
    wire: SMTPWireLimits = field(default_factory=SMTPWireLimits)
    recipients: int = 1000
    transactions: int = 100_000
    errors: int = 20
    refused_recipients: int = 100
    idle_commands: int = 1000
    authentication_failures: int = 3
    minimum_rate: int = 500
    memory: int = 1 << 18
    header: int = 1 << 18
    hops: int = 100
    greeting_wait: float | None = None
    messages_per_peer: int = 0
    messages_per_account: int = 0
    recipients_per_peer: int = 0
    recipients_per_account: int = 0
    rate_period: float = 60

    def wait_before_greeting(self, *, is_local: bool) -> float:
        """What ``greeting_wait`` is for a client, on this machine or elsewhere."""
        wait = self.greeting_wait
        if wait is None:
            return 0 if is_local else _WAIT_FROM_ELSEWHERE
        return wait


TRUSTED_CLIENT_LIMITS = SMTPLimits(greeting_wait=0)
"""For whom one knows: submission and LMTP."""
