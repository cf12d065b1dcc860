"""A server's connection as observers see it: who the client is, and what is told of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from mailproto.connection._commands import State
from mailproto.connection._securable import SecurableConnection
from mailproto.errors import AuthenticationFailed, MailError, TemporaryAuthenticationFailure
from mailproto.observing import Client, Refusal, Stalled

if TYPE_CHECKING:
    from mailproto.connection._factory import ServerFactory

__all__ = ["ObservedConnection"]

EventT = TypeVar("EventT")

_NUMBERS = count(1)
"""The numbers of connections."""


class ObservedConnection(SecurableConnection[EventT]):
    """A connection of a client of which observers are told.

    :ivar observer: is told of what happens (`mailproto.observing`).
    :ivar number: of this connection, in this process.
    """

    def __init__(self, factory: ServerFactory) -> None:
        super().__init__(factory)
        self.observer = factory.observer
        self.counts_octets = factory.observer.needs_octets
        self.number = next(_NUMBERS)
        self.notes: dict[object, Any] = {}

    @property
    def client(self) -> Client:
        """The client, with its current state, for observers."""
        return Client(
            peer=str(self.peer),
            protocol=self.factory.service_name,
            tls=self.tls_version,
            account=self.account_name,
            address=self.peer_address,
            connection=self.number,
            notes=self.notes,
        )

    @property
    def account_name(self) -> str | None:
        """The account that signed in, if the protocol has sign-in."""
        return None

    @property
    def is_signed_in(self) -> bool:
        """Whether an account has signed in."""
        return self.account_name is not None

    @property
    def is_stranger(self) -> bool:
        """See `EventConnection.is_stranger`."""
        return self.account_name is None

    @property
    def must_sign_in(self) -> bool:
        """Whether the client can do nothing before it signs in: then `Limits.login` holds."""
        return False

    @property
    def state(self) -> State:
        """How far the session has come."""
        return State.NOT_AUTHENTICATED if self.account_name is None else State.AUTHENTICATED

    def log_refusal(self, event: EventT, error: MailError) -> None:
        """Tell the observer that a handler raised ``error``.

        Failed sign-ins are told by `mailproto.auth`.
        """
        if not isinstance(error, AuthenticationFailed | TemporaryAuthenticationFailure):
            self.observer.refused(Refusal.of_error(self.client, self.describe(event), error))

    def stalled(self, command: str, seconds: float, cpu_seconds: float) -> None:
        """Count it, and tell the observer."""
        self.factory.stalls += 1
        self.observer.stalled(Stalled(self.client, command, seconds, cpu_seconds))

    def tell_failed(self, command: str, error: MailError) -> None:
        """Tell the observer that a part of a command failed, which the client may not notice."""
        event = Refusal.of_error(self.client, command, error)
        self.observer.refused(event if event.detail else replace(event, detail=error.text))

    def log_counts(self) -> dict[str, str | int]:
        """Counts of what the session did, for the event of its end (`Disconnected.counts`)."""
        return {}
