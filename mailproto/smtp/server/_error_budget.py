"""Counting a client's errors, and measuring its speed, against `SMTPLimits`."""

from __future__ import annotations

from mailproto.smtp.server._limits import SMTPLimits

__all__ = ["ContentRate", "ErrorBudget"]


class ErrorBudget:
    """Counts the errors of one connection.

    Each method that returns a bool counts one event, and tells whether that was one too many.

    :ivar errors: how many commands were unknown, misplaced or refused.
    """

    __slots__ = (
        "_excused",
        "_idle_commands",
        "_limits",
        "_refused",
        "_transactions",
        "errors",
    )

    def __init__(self, limits: SMTPLimits) -> None:
        self._limits = limits
        self.errors = self._refused = 0
        self._idle_commands = self._transactions = self._excused = 0

    def error(self) -> bool:
        """Count a command that is unknown, misplaced or refused."""
        self.errors += 1
        return self.errors > self._limits.errors

    def excuse_pipelined(self) -> None:
        """After a refused MAIL or RCPT, do not count the commands pipelined after it (RFC 2920 3.1).

        These are at most the allowed number of recipients, and the content.
        """
        self._excused = self._limits.recipients + 1

    def misplaced(self) -> bool:
        """Count a misplaced command, unless it may have been pipelined."""
        if self._excused:
            self._excused -= 1
            return False
        return self.error()

    def refused_recipient(self) -> bool:
        """Count a recipient that was refused permanently."""
        self._refused += 1
        return self._refused > self._limits.refused_recipients

    def idle_command(self) -> bool:
        """Count a command that sends no mail."""
        self._idle_commands += 1
        return self._idle_commands > self._limits.idle_commands

    def transaction(self) -> bool:
        """Count a MAIL command."""
        self._transactions += 1
        self._excused = 0
        return self._transactions > self._limits.transactions

    def message(self) -> None:
        """A message has come: forget the idle commands before it."""
        self._idle_commands = 0


class ContentRate:
    """Measures whether content comes fast enough.

    :ivar last_progress: when the last stretch of octets came that was fast enough; by the clock.
    """

    __slots__ = ("_size", "_stretch", "last_progress")

    def __init__(self, limits: SMTPLimits, now: float) -> None:
        self.last_progress = now
        self._size = 0
        self._stretch = limits.minimum_rate * limits.idle

    def received(self, size: int, now: float) -> None:
        """Note how many octets have come in all."""
        if size - self._size >= self._stretch:
            self.last_progress, self._size = now, size
