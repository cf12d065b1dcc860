"""What is the same for every queue, although the contract does not say it."""

from __future__ import annotations

__all__ = ["FORGET"]

FORGET = 86_400.0
"""Seconds after the end of a destination's pause after which it is forgotten, if nothing waits for it."""
