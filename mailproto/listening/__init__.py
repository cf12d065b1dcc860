"""Serves clients on an endpoint, and stops without cutting anything off.

In an application::

    Listener("tcp:8025:interface=127.0.0.1", SMTPServerFactory(delivery)).setServiceParent(application)

In a program::

    listener = Listener("tcp:0", SMTPServerFactory(delivery))
    await listener.start()
    print(listener.address)
    await listener.stop()    # each client is told, and what began is finished
"""

from mailproto.listening._endpoints import is_on_loopback
from mailproto.listening._errors import ListenError
from mailproto.listening._listener import Listener

__all__ = ["ListenError", "Listener", "is_on_loopback"]
