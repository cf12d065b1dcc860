"""Reports how the start of a server goes."""

from __future__ import annotations

from pathlib import Path

from twisted.logger import Logger

from mailproto.service._settings import SettingError

__all__ = ["Reporter"]


class Reporter:
    """Reports the start of a `MailService` to the log; override its methods to learn about it."""

    log = Logger()

    def listening(self, name: str, address: str) -> None:
        """A listener now serves clients at ``address``."""
        # Formatted here, so that a log in any format has this text.
        self.log.info("{line}", line=f"mailproto: {name} on {address}", name=name, address=address)

    def ready(self, data: Path) -> None:
        """Everything has started; ``data`` is the data folder."""
        self.log.info("{line}", line=f"mailproto: data in {data}")
        self.log.info("mailproto is ready")

    def failed(self, error: SettingError | None) -> None:
        """The server cannot start; None for an unexpected error, whose traceback is in the log."""
        self.log.critical("{line}", line=f"mailproto: {error or 'cannot start, see the log above'}")
