"""Serves clients on an endpoint, and stops without cutting anything off."""

from mailproto.listening._endpoints import is_on_loopback
from mailproto.listening._errors import ListenError
from mailproto.listening._listener import Listener

__all__ = ["ListenError", "Listener", "is_on_loopback"]
