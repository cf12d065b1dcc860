"""What a client was given to send, and what has become of it."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred

from mailproto.content import Content
from mailproto.model import Address, Outcome, Parameters, Recipient
from mailproto.smtp.client._errors import SMTPClientError

__all__ = ["Message"]


class Message:
    """A message on its way; it may take several transactions.

    :ivar outcomes: of each recipient, None while it has none.
    :ivar is_answered: whether the server has said anything about it.
    :ivar result: fires with the outcomes, or with the error before which nothing was said.
    """

    __slots__ = ("content", "is_answered", "outcomes", "parameters", "recipients", "result", "sender")

    def __init__(
        self, sender: Address, recipients: Sequence[Recipient], content: Content, parameters: Parameters
    ) -> None:
        self.sender = sender
        self.recipients = recipients
        self.content = content
        self.parameters = parameters
        self.outcomes: list[Outcome | None] = [None] * len(recipients)
        self.is_answered = False
        self.result: Deferred[list[Outcome]] = Deferred()

    @property
    def is_done(self) -> bool:
        """Whether every recipient has an outcome."""
        return None not in self.outcomes

    def settle(self, outcome: Outcome) -> None:
        """Give ``outcome`` to those that have none."""
        self.outcomes = [outcome if each is None else each for each in self.outcomes]

    def finish(self) -> None:
        """Tell the outcomes; all are there."""
        self.result.callback([each for each in self.outcomes if each is not None])

    def fail(self, error: SMTPClientError) -> None:
        """The connection is gone."""
        if self.is_answered:
            self.settle(error.outcome())
            self.finish()
        else:
            self.result.errback(error)
