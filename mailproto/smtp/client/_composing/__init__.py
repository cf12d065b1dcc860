"""Preparing an application's message: its octets in a form for every server, its sender and recipients."""

from mailproto.smtp.client._composing._compose import Composed, Recipients, compose, compose_in_thread

__all__ = ["Composed", "Recipients", "compose", "compose_in_thread"]
