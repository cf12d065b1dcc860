"""The events of a relay: what becomes of messages that go to other servers."""

from __future__ import annotations

from typing import NamedTuple

from mailproto.model import Address, Outcome, QueueState

__all__ = ["Expanded", "Relayed", "Reported", "Unreached"]


class Expanded(NamedTuple):
    """A message for an alias goes to other addresses.

    :ivar id: the server's id of the message, as in `Accepted`.
    :ivar recipient: the alias.
    :ivar addresses: its results; each that is an alias itself has an event of its own.
    """

    id: str
    recipient: Address
    addresses: tuple[Address, ...]


class Relayed(NamedTuple):
    """A message on the queue was tried for one recipient, or was given up.

    :ivar id: the server's id of the message, as in `Accepted`.
    :ivar state: ``SENT``; ``WAITING``: it is tried again; or ``FAILED``.
    :ivar outcome: the server's reply, or what this server says itself.
    :ivar host: the server's name, ``address`` its IP address; "" if there is none.
    :ivar tls: the version of TLS, such as ``TLSv1.3``; "" in plaintext.
    :ivar attempt: the number of attempts with this one.
    :ivar seconds: since the message came.
    :ivar due: when it is tried again, in seconds since the epoch; 0 if it is not.
    """

    id: str
    sender: Address
    recipient: Address
    state: QueueState
    outcome: Outcome
    destination: str
    host: str
    address: str
    tls: str
    attempt: int
    seconds: float
    due: float


class Reported(NamedTuple):
    """A report (RFC 3464) about a message has entered the queue, or its sender's mailbox.

    :ivar id: the server's id of the message, as in `Accepted`.
    :ivar report: the id of the report, as in `Relayed` if it goes to another server.
    :ivar recipient: the sender of the message, who gets the report.
    """

    id: str
    report: str
    recipient: Address


class Unreached(NamedTuple):
    """A destination could not be reached, and is left alone for a while.

    :ivar outcome: why.
    :ivar host: the last server that was tried; "" if there was none.
    :ivar failures: how often in a row that has happened.
    :ivar due: when it is tried again, in seconds since the epoch.
    """

    destination: str
    outcome: Outcome
    host: str
    failures: int
    due: float
