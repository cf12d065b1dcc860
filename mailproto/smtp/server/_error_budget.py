"""What a client has used of what `SMTPLimits` allow."""

from __future__ import annotations

from mailproto.smtp.server._limits import SMTPLimits

__all__ = ["ContentRate", "ErrorBudget"]


class ErrorBudget:
    """Counts, for one connection; each method tells whether that was one too many.

    :ivar errors: commands that were not understood, not in their place, or refused.
    """

    __slots__ = (
        "_authentication_failures",
        "_excused",
        "_idle_commands",
        "_limits",
        "_refused",
        "_transactions",
        "errors",
    )

    def __init__(self, limits: SMTPLimits) -> None:
        self._limits = limits
        self.errors = self._refused = self._authentication_failures = 0
        self._idle_commands = self._transactions = self._excused = 0

    def error(self) -> bool:
        """A command that is not understood, not in its place, or refused."""
        self.errors += 1
        return self.errors > self._limits.errors

    def excuse_pipelined(self) -> None:
        """MAIL or RCPT was refused: what a client pipelined behind it is no mistake (RFC 2920 3.1).

        That is as many recipients as it may name, and the content.
        """
        self._excused = self._limits.recipients + 1

    def misplaced(self) -> bool:
        """A command out of order, which may have been pipelined."""
        if self._excused:
            self._excused -= 1
            return False
        return self.error()

    def refused_recipient(self) -> bool:
        """A recipient that was refused for good."""
        self._refused += 1
        return self._refused > self._limits.refused_recipients

    def authentication_failure(self) -> bool:
        """A wrong password; the last one that is allowed is the last."""
        self._authentication_failures += 1
        return self._authentication_failures >= self._limits.authentication_failures

    def idle_command(self) -> bool:
        """A command that brings no mail nearer."""
        self._idle_commands += 1
        return self._idle_commands > self._limits.idle_commands

    def transaction(self) -> bool:
        """MAIL."""
        self._transactions += 1
        self._excused = 0
        return self._transactions > self._limits.transactions

    def message(self) -> None:
        """Mail came: idle commands before it no longer count."""
        self._idle_commands = 0


class ContentRate:
    """Whether content comes fast enough: the time counts from the last stretch that did.

    :ivar last_progress: when that was, in seconds.
    """

    __slots__ = ("_size", "_stretch", "last_progress")

    def __init__(self, limits: SMTPLimits, now: float) -> None:
        self.last_progress = now
        self._size = 0
        self._stretch = limits.minimum_rate * limits.idle

    def received(self, size: int, now: float) -> None:
        """So many octets have come in all."""
        if size - self._size >= self._stretch:
            self.last_progress, self._size = now, size
