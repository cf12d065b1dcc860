"""When, and how much at a time, a `mailproto.relay.RelayAgent` sends."""

from mailproto.relay._limits import RelayLimits
from mailproto.relay._schedule import Schedule

__all__ = ["RelayLimits", "Schedule"]
