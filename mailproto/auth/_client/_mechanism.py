"""SASL as a client sees it (RFC 4422): challenges in, responses out, no I/O."""

from __future__ import annotations

import abc

from mailproto.auth._errors import SASLError

__all__ = ["ClientMechanism", "OneMessage"]


class ClientMechanism(abc.ABC):
    """One authentication exchange.

    :ivar name: as it is announced (RFC 4422 3.1).
    :ivar ignores_challenges: whether it does not matter what a challenge says, which may be no base64.
    :ivar is_slow: whether `step` calculates long enough to be better done in a thread.
    """

    name: str
    ignores_challenges: bool = False
    is_slow: bool = False

    def initial(self) -> bytes | None:
        """What the client says first, with the command or in answer to an empty challenge; None
        where the server begins.
        """
        return None

    @abc.abstractmethod
    def step(self, challenge: bytes) -> bytes:
        """The response to a challenge.

        :raises SASLError: the challenge is malformed, out of place, or cannot be from a server
            that knows the secret: the exchange is to be cancelled.
        """

    @property
    def is_complete(self) -> bool:
        """Whether success may be believed: the server has shown what the mechanism has it show."""
        return True


class OneMessage(ClientMechanism):
    """A mechanism that is one message of the client."""

    @abc.abstractmethod
    def initial(self) -> bytes:
        """The message."""

    def step(self, challenge: bytes) -> bytes:
        """:raises SASLError: always: there is nothing to ask."""
        raise SASLError(f"{self.name} has no challenge")
