"""An application's message made ready to be sent: octets that every server takes, who it is from, and to."""

from mailproto.smtp.client._composing._compose import Composed, Recipients, compose, compose_in_thread

__all__ = ["Composed", "Recipients", "compose", "compose_in_thread"]
