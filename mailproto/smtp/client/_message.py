"""What a client was given to send, and what has become of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from twisted.internet.defer import Deferred

from mailproto.client import ClientError, Turn
from mailproto.content import Content
from mailproto.model import Address, Outcome, Parameters, Recipient
from mailproto.smtp.client._content import PIECE, ContentInfo, examine
from mailproto.smtp.client._outcomes import outcome_of
from mailproto.smtp.wire import UnsafeArgument, read_address

__all__ = ["Message", "to_address", "to_recipient"]


def to_address(address: Address | str) -> Address:
    """:raises ValueError: a str that is no address."""
    if isinstance(address, Address):
        return address
    try:
        return read_address(address)
    except UnsafeArgument:
        raise ValueError(f"not an address: {address[:100]!r}") from None


def to_recipient(recipient: Recipient | Address | str) -> Recipient:
    """:raises ValueError: a str that is no address."""
    return recipient if isinstance(recipient, Recipient) else Recipient(to_address(recipient))


class Message(Turn):
    """A message on its way; it may take several transactions.

    :raises ValueError: a sender or recipient that is a str and no address, or no recipient.

    :ivar outcomes: of each recipient, None while it has none.
    :ivar is_answered: whether the server has said anything about it.
    :ivar untried: places of recipients for which nothing of the content was sent over this
        connection, though another one may: it took no more messages, or was lost.
    :ivar error: what the connection was lost with, if that is why.
    :ivar is_withdrawn: whether its content is not to be sent any more.
    :ivar result: fires with the outcomes, or with the error before which nothing was said.
    """

    __slots__ = (
        "_content_info",
        "content",
        "error",
        "is_answered",
        "is_withdrawn",
        "outcomes",
        "parameters",
        "recipients",
        "result",
        "sender",
        "untried",
    )

    def __init__(
        self,
        sender: Address | str,
        recipients: Sequence[Recipient | Address | str],
        content: Content,
        parameters: Parameters,
    ) -> None:
        if not recipients:
            raise ValueError("no recipient")
        self.sender = to_address(sender)
        self.recipients = [to_recipient(each) for each in recipients]
        self.content = content
        self.parameters = parameters
        self._content_info: ContentInfo | Exception | None = None
        self.outcomes: list[Outcome | None] = [None] * len(recipients)
        self.is_answered = False
        self.untried: list[int] = []
        self.error: ClientError | None = None
        self.is_withdrawn = False
        self.result: Deferred[list[Outcome]] = Deferred()

    def retry(self, places: Sequence[int] | None = None) -> Message:
        """The same message, of which no server has heard; for those at ``places`` of its recipients."""
        recipients = self.recipients if places is None else [self.recipients[place] for place in places]
        message = Message(self.sender, recipients, self.content, self.parameters)
        message._content_info = self._content_info
        return message

    def examine(self) -> Iterator[None]:
        """Look at the content, a piece at each step; then `octets` knows, or raises what this raises.

        :raises OSError: it cannot be read.
        """
        try:
            # BODY is ours to choose, but that BINARYMIME says that bare CRs and LFs are meant.
            is_binary = (self.parameters.get("BODY") or "").upper() == "BINARYMIME"
            for octets in examine(self.content, is_binary=is_binary):
                self._content_info = octets
                yield
        except Exception as error:
            self._content_info = error
            raise

    @property
    def content_info(self) -> ContentInfo:
        """What the content is.  :raises OSError: it cannot be read."""
        if self._content_info is None:
            for _ in self.examine():
                pass
        if isinstance(self._content_info, ContentInfo):
            return self._content_info
        raise self._content_info or OSError("it has not been looked at")

    @property
    def is_long(self) -> bool:
        """Whether `octets` would take long to tell, so that `look` should come first."""
        return self._content_info is None and len(self.content) > PIECE

    @property
    def is_done(self) -> bool:
        """Whether every recipient has an outcome."""
        return None not in self.outcomes

    def settle(self, outcome: Outcome) -> None:
        """Give ``outcome`` to those that have none."""
        self.outcomes = [outcome if each is None else each for each in self.outcomes]

    def give_up(self, outcome: Outcome) -> None:
        """`settle`, but remember who was left: that they have no other outcome is not said by its text."""
        self.untried = [place for place, each in enumerate(self.outcomes) if each is None]
        self.settle(outcome)

    def finish(self) -> None:
        """Tell the outcomes; all are there."""
        self.result.callback([each for each in self.outcomes if each is not None])

    def fail(self, error: ClientError) -> None:
        """The connection is gone."""
        if self.is_answered:
            self.error = error
            self.give_up(outcome_of(error))
            self.finish()
        else:
            self.result.errback(error)
