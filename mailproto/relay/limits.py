"""When a `mailproto.relay.RelayAgent` tries something, and how much at a time."""

from mailproto.relay._limits import RelayLimits
from mailproto.relay._schedule import Schedule

__all__ = ["RelayLimits", "Schedule"]
