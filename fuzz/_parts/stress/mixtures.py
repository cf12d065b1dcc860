"""What clients do often, and what they do rarely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["MIXTURES", "Mixture"]


@dataclass(frozen=True)
class Mixture:
    """How often a client with a selected mailbox does what.

    :ivar arrivals: the share of APPEND among all commands.
    :ivar weights: of the other commands, by the names of the methods of `Actions`.
    """

    arrivals: float
    weights: Mapping[str, int]


MIXTURES = {
    "even": Mixture(
        0.1, {"fetch": 3, "store": 2, "delete": 1, "expunge": 1, "copy": 1, "search": 1, "sort": 1}
    ),
    "removing": Mixture(0.25, {"fetch": 2, "store": 1, "delete": 2, "expunge": 3, "copy": 3, "search": 1}),
    "moving": Mixture(0.1, {"fetch": 1, "store": 1, "delete": 1, "expunge": 1, "copy": 7}),
    "arriving": Mixture(0.5, {"fetch": 4, "store": 1, "delete": 3, "expunge": 2, "search": 1}),
    "marking": Mixture(0.05, {"fetch": 3, "store": 8, "delete": 1, "expunge": 1, "search": 1, "sort": 1}),
}
