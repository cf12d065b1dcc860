"""A delivery that keeps what it is given, for tests of programs that send mail; and envelopes for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from itertools import count

from mailproto._arguments import check_type, wrong_type, wrong_value
from mailproto.content import Content
from mailproto.delivery import Delivery, accepted
from mailproto.model import (
    NO_PARAMETERS,
    NO_SERVICE_EXTENSIONS,
    Address,
    Envelope,
    Outcome,
    Parameters,
    Recipient,
    ServiceExtensions,
    Session,
)
from mailproto.testing._transport import LOOPBACK

__all__ = ["ReceivedMessage", "RecordingDelivery", "make_envelope"]

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message that arrived during a test.

    :ivar content: its octets.
    :ivar envelope: with which it came; None if it was read from a mailbox.
    :ivar uid: its UID in the mailbox; None if it was not read from one.
    """

    content: bytes
    envelope: Envelope | None = None
    uid: int | None = None

    @property
    def message(self) -> EmailMessage:
        """The message, parsed by the email package (`Content.message`)."""
        return Content(self.content).message()

    @property
    def sender(self) -> str:
        """The envelope's sender, "" for a notification."""
        return "" if self.envelope is None else str(self.envelope.sender)

    @property
    def recipients(self) -> list[str]:
        """The envelope's recipients."""
        return [] if self.envelope is None else [str(each.address) for each in self.envelope.recipients]


class RecordingDelivery(Delivery):
    """Takes every message and keeps it in memory::

        inbox = RecordingDelivery({"nobody@y.example": RecipientUnknown()})

    :param refuse: errors to raise, by the address that MAIL or RCPT names; "" is the null path.  It may be
        changed at any time.
    :param service_extensions: the ESMTP extensions that are offered to clients.
    :ivar messages: in the order in which they came; a test may clear it.
    :ivar failure: an error to raise for every message once its content has come; None to take it.
    """

    def __init__(
        self,
        refuse: Mapping[str, Exception] | None = None,
        *,
        service_extensions: ServiceExtensions = NO_SERVICE_EXTENSIONS,
    ) -> None:
        if refuse is not None:
            takes = "a mapping such as {'a@x.example': RecipientUnknown()}, or None"
            check_type("refuse", refuse, Mapping, takes)
            for path, error in refuse.items():
                check_type("each address of refuse", path, str, "a str such as 'a@x.example'")
                check_type(f"refuse[{path!r}]", error, Exception, "an exception such as RecipientUnknown()")
        check_type("service_extensions", service_extensions, ServiceExtensions, "a ServiceExtensions")
        self.messages: list[ReceivedMessage] = []
        self.refuse = dict(refuse or {})
        self.failure: Exception | None = None
        self.service_extensions = service_extensions
        self._listeners: list[Callable[[], None]] = []

    async def sender(self, session: Session, path: Address, parameters: Parameters) -> None:
        """See `IDelivery.sender`."""
        self._check(path)

    async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None:
        """See `IDelivery.recipient`."""
        self._check(path)

    async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
        """See `IDelivery.deliver`."""
        if self.failure is not None:
            raise self.failure
        self.messages.append(ReceivedMessage(bytes(content), envelope))
        for listener in [*self._listeners]:
            listener()
        return accepted(envelope)

    def watch(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener()`` in the server's thread after each message.

        :returns: a function that ends the watch.
        """
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def _check(self, path: Address) -> None:
        error = self.refuse.get(str(path))
        if error is not None:
            raise error


def make_envelope(
    sender: str | Address = "sender@x.example",
    recipients: Iterable[str | Address | Recipient] = ("recipient@y.example",),
    *,
    session: Session | None = None,
    parameters: Parameters = NO_PARAMETERS,
) -> Envelope:
    """An envelope for tests, as a server makes it::

        outcomes = await delivery.deliver(make_envelope("a@x.example", ["b@y.example"]), content)

    :param sender: an address as in `Address.parse`; "" for the null path.
    :param recipients: at least one.
    :param session: by default, that of an ESMTP client on this machine.
    :raises ValueError: an address is not valid, or there is no recipient.
    :raises TypeError: ``recipients`` is one address, and not a sequence of them.
    """
    if isinstance(recipients, str | Address | Recipient):
        raise wrong_type("recipients", recipients, _RECIPIENTS, f"write [{recipients!r}]")
    if isinstance(recipients, bytes) or not isinstance(recipients, Iterable):
        raise wrong_type("recipients", recipients, _RECIPIENTS)
    taken = tuple(each if isinstance(each, Recipient) else Recipient(_address(each)) for each in recipients)
    if not taken:
        raise wrong_value("recipients", recipients, f"{_RECIPIENTS}, with at least one")
    if session is None:
        session = Session("ESMTP", "mx.example", peer=LOOPBACK, helo="client.example")
    return Envelope(f"test{next(_numbers)}", _address(sender), taken, session, parameters)


_RECIPIENTS = "a list such as ['b@y.example']"


def _address(given: str | Address) -> Address:
    return given if isinstance(given, Address) else Address.parse(given)
