"""The inbox of the pytest plugin."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage

from mailproto.testing._recording import ReceivedMessage, RecordingDelivery
from mailproto.testing._running import RunningServer

__all__ = ["Inbox"]


class Inbox(RecordingDelivery):
    """A `RecordingDelivery` that is served.

    :ivar server: its SMTP server.
    """

    server: RunningServer

    @property
    def host(self) -> str:
        """Where it listens."""
        return self.server.host

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server.port

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self.server.address

    def wait_for_message(
        self, matching: Callable[[EmailMessage], object] | None = None, *, timeout: float = 5.0
    ) -> ReceivedMessage:
        """Wait until there is a message, and return the first one that matches.

        :raises AssertionError: there was none in time.
        """
        return self.server.wait_for_message(self, matching, timeout=timeout)
