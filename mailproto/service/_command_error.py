"""The error of a command."""

from __future__ import annotations

__all__ = ["CommandError"]


class CommandError(Exception):
    """A command failed: one line that says why; the exit status is 1."""
