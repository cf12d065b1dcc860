"""The error of a command."""

from __future__ import annotations

__all__ = ["CommandError"]


class CommandError(Exception):
    """A command failed: one line that says why.

    :ivar status: the exit status.
    """

    def __init__(self, text: str, *, status: int = 1) -> None:
        super().__init__(text)
        self.status = status
