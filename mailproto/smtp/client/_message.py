"""A message given to a client, and its outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from twisted.internet.defer import Deferred

from mailproto._arguments import check_parameters, wrong_type, wrong_value
from mailproto.client.base import Turn
from mailproto.client.errors import ClientError
from mailproto.content import Content, Octets
from mailproto.model import Address, Outcome, Parameters, Recipient
from mailproto.smtp.client._content import PIECE, ContentInfo, examine
from mailproto.smtp.client._outcomes import outcome_of
from mailproto.smtp.wire import UnsafeArgument, read_address

__all__ = ["Message", "to_address", "to_recipient"]


def to_address(address: Address | str) -> Address:
    """Parse an address if it is a str.

    :raises TypeError: it is neither.
    :raises ValueError: the str is not an address.
    """
    if isinstance(address, Address):
        return address
    if not isinstance(address, str):
        raise wrong_type("an address", address, "an Address or a str such as 'a@mail.example'")
    try:
        return read_address(address)
    except UnsafeArgument:
        raise wrong_value("an address", address, "one such as 'a@mail.example'") from None


def to_recipient(recipient: Recipient | Address | str) -> Recipient:
    """Make a recipient of an address or a str.

    :raises TypeError: it is none of these.
    :raises ValueError: the str is not an address.
    """
    return recipient if isinstance(recipient, Recipient) else Recipient(to_address(recipient))


class Message(Turn):
    """A message that is being sent; it may take several transactions.

    :raises TypeError: an argument is of the wrong type.
    :raises ValueError: there is no recipient, or a str is not an address.

    :ivar outcomes: one for each recipient; None while there is none.
    :ivar is_answered: whether the server has sent any reply about the message.
    :ivar untried: the indexes of recipients for which no content was sent over this connection, because
        it took no more messages or was lost.  Another connection may send to them.
    :ivar error: the error with which the connection was lost, or None.
    :ivar refusal: the reply if the server refused the message with MAIL, or else None.
    :ivar is_withdrawn: whether the content must not be sent any more.
    :ivar result: fires with the outcomes; or with the error, if there was no reply about the message.
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
        "refusal",
        "result",
        "sender",
        "untried",
    )

    def __init__(
        self,
        sender: Address | str,
        recipients: Sequence[Recipient | Address | str],
        content: Octets,
        parameters: Parameters,
    ) -> None:
        if isinstance(recipients, (str, bytes, Address, Recipient)) or not isinstance(recipients, Iterable):
            hint = f"write [{recipients!r}]" if isinstance(recipients, str) else ""
            raise wrong_type("recipients", recipients, "a list of addresses", hint)
        if not recipients:
            raise ValueError("no recipient")
        if not isinstance(content, (bytes, Content)):
            content = Content.of(content)
        check_parameters("parameters", parameters)
        self.sender = to_address(sender)
        self.recipients = [to_recipient(each) for each in recipients]
        self.content = content
        self.parameters = parameters
        self._content_info: ContentInfo | Exception | None = None
        self.outcomes: list[Outcome | None] = [None] * len(recipients)
        self.is_answered = False
        self.untried: list[int] = []
        self.error: ClientError | None = None
        self.refusal: Outcome | None = None
        self.is_withdrawn = False
        self.result: Deferred[list[Outcome]] = Deferred()

    def retry(self, indexes: Sequence[int] | None = None) -> Message:
        """A new copy of the message, to send again; only for the recipients at ``indexes``."""
        recipients = self.recipients if indexes is None else [self.recipients[index] for index in indexes]
        message = Message(self.sender, recipients, self.content, self.parameters)
        message._content_info = self._content_info
        return message

    def examine(self) -> Iterator[None]:
        """Examine the content, a piece at each step; afterwards `content_info` has the result or the error.

        :raises OSError: the content cannot be read.
        """
        try:
            # The client chooses BODY itself, but BINARYMIME says that bare CRs and LFs are to be kept.
            is_binary = (self.parameters.get("BODY") or "").upper() == "BINARYMIME"
            for octets in examine(self.content, is_binary=is_binary):
                self._content_info = octets
                yield
        except Exception as error:
            self._content_info = error
            raise

    @property
    def content_info(self) -> ContentInfo:
        """What is known about the content.

        :raises OSError: the content cannot be read.
        """
        if self._content_info is None:
            for _ in self.examine():
                pass
        if isinstance(self._content_info, ContentInfo):
            return self._content_info
        raise self._content_info or OSError("the content was not examined")

    @property
    def is_long(self) -> bool:
        """Whether `content_info` would take long, so that `examine` should be called before."""
        return self._content_info is None and len(self.content) > PIECE

    @property
    def is_done(self) -> bool:
        """Whether every recipient has an outcome."""
        return None not in self.outcomes

    def settle(self, outcome: Outcome) -> None:
        """Give ``outcome`` to the recipients that have none."""
        self.outcomes = [outcome if each is None else each for each in self.outcomes]

    def give_up(self, outcome: Outcome) -> None:
        """`settle`, and note in `untried` which recipients had no outcome."""
        self.untried = [index for index, each in enumerate(self.outcomes) if each is None]
        self.settle(outcome)

    def finish(self) -> None:
        """Fire `result` with the outcomes; each recipient has one."""
        self.result.callback([each for each in self.outcomes if each is not None])

    def fail(self, error: ClientError) -> None:
        """The connection is gone."""
        if self.is_answered:
            self.error = error
            self.give_up(outcome_of(error))
            self.finish()
        else:
            self.result.errback(error)
