"""Events of all servers, for metrics and audit: what clients do, and what becomes of it.

Derive from `Observer`, override the methods that you want, and give the object to a server's factory::

    class Metrics(Observer):
        def accepted(self, event):
            MESSAGES.inc()
            OCTETS.inc(event.size)

    SMTPServerFactory(delivery, observer=Metrics())

An observer is called in the reactor's thread, before the client gets its reply: it must be quick, and it
returns nothing.  If it raises, the client does not notice, and the log has the traceback, once for each
method.  No event has a password, a token or any other secret.

The mail log (`mailproto.maillog`) is such an observer.  Every server has it, besides those that you give.
"""

from mailproto.observing._client import Client, HasClient, client_of
from mailproto.observing._events import (
    Accepted,
    Appended,
    Connected,
    Delivered,
    Disconnected,
    Refusal,
    SignedIn,
    SignInRefused,
    Stalled,
    TurnedAway,
)
from mailproto.observing._observers import IObserver, Observer, ObserverOrMore, Observers
from mailproto.observing._relay_events import Expanded, Relayed, Reported, Unreached

__all__ = [
    "Accepted",
    "Appended",
    "Client",
    "Connected",
    "Delivered",
    "Disconnected",
    "Expanded",
    "HasClient",
    "IObserver",
    "Observer",
    "ObserverOrMore",
    "Observers",
    "Refusal",
    "Relayed",
    "Reported",
    "SignInRefused",
    "SignedIn",
    "Stalled",
    "TurnedAway",
    "Unreached",
    "client_of",
]
