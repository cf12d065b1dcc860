"""Who is told how the start of a server goes."""

from __future__ import annotations

from pathlib import Path

from twisted.logger import Logger

from mailproto.service._settings import SettingError

__all__ = ["Reporter"]


class Reporter:
    """Is told how the start of a `MailService` goes; this one tells the log."""

    log = Logger()

    def listening(self, name: str, address: str) -> None:
        """A listener serves clients at ``address``."""
        # One text, so that a log of any format has these words.
        self.log.info("{line}", line=f"mailproto: {name} on {address}", name=name, address=address)

    def ready(self, data: Path) -> None:
        """Everything has started; ``data`` is the data folder."""
        self.log.info("{line}", line=f"mailproto: data in {data}")
        self.log.info("mailproto is ready")

    def failed(self, error: SettingError | None) -> None:
        """The server cannot start; None for what is no setting's fault, of which the log has a record."""
        self.log.critical("{line}", line=f"mailproto: {error or 'cannot start, see the log above'}")
