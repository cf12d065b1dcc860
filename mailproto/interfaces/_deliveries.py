"""What becomes of mail that arrives by SMTP and LMTP."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from mailproto._contracts import Contract, ContractClass, contract
from mailproto.awaiting import Result
from mailproto.content import Content
from mailproto.model import (
    Address,
    Envelope,
    Outcome,
    Parameters,
    Placement,
    ServiceExtensions,
    Session,
    VerifiedName,
)

__all__ = [
    "IDelivery",
    "IDeliverySession",
    "IDeliverySessions",
    "IExpander",
    "IOwnership",
    "IQueueRunner",
    "IServiceExtensions",
    "IVerifier",
]


@contract
class IDelivery(Contract, metaclass=ContractClass):
    """Decides what happens to mail that arrives by SMTP or LMTP.

    One object serves all connections; `IDeliverySessions` gives each its own.  In one transaction `sender` is
    called once, `recipient` once for each RCPT (until too many are refused or the transaction is reset), and
    `deliver` at most once.  `mailproto.delivery.Delivery` implements the first two steps.

    Each call may take ``SMTPLimits.delivery`` seconds; then it is cancelled, and the client gets 451.  A
    result of the wrong type is a `TypeError` in the log, and 451 for the client.
    """

    def sender(self, session: Session, path: Address, parameters: Parameters) -> Result[None]:
        """Accept or refuse the reverse-path of MAIL FROM.

        :param session: what is known about the client: its address, its greeting, its account, TLS.
        :param path: the sender's address; `mailproto.model.NULL_PATH` for ``<>``, as notifications have it.
        :param parameters: the command's ESMTP parameters, keywords in upper case, values as on the wire or
            None; `mailproto.smtp.wire.mail_options` reads them.
        :returns: None, to accept it.
        :raises MailError: to refuse it; the transaction does not begin.
        """

    def recipient(self, session: Session, path: Address, parameters: Parameters) -> Result[None]:
        """Accept or refuse one forward-path of RCPT TO.

        :param session: as for `sender`.
        :param path: the recipient's address.  ``<Postmaster>`` comes as ``Address("Postmaster", "")`` (RFC
            5321 4.5.1); a source route has been dropped.
        :param parameters: as for `sender`; `mailproto.smtp.wire.rcpt_options` reads them.
        :returns: None, to accept it.
        :raises MailError: to refuse it; the transaction goes on without it.
        """

    def deliver(self, envelope: Envelope, content: Content) -> Result[Sequence[Outcome] | None]:
        """Store or pass on the message durably, or say why that failed.

        :param envelope: the sender, and the recipients that were accepted, with all parameters.
        :param content: begins with this server's Received field.  The server closes it when the result has
            arrived: keep ``bytes(content)``, not the object.
        :returns: None, if the message was accepted for all recipients; or one outcome for each of
            ``envelope.recipients``, in that order.  LMTP passes them on.  SMTP answers with an error only if
            no recipient was accepted, and then prefers a temporary error.
        :raises MailError: to give this answer for every recipient.
        """


@contract
class IDeliverySession(IDelivery, Contract, metaclass=ContractClass):
    """The IDelivery of one connection: a place for what belongs to one client or to one transaction.

    The calls for one connection never overlap.  `mailproto.delivery.DeliverySession` is a base class.
    """

    @abstractmethod
    def reset(self) -> Result[None]:
        """The transaction has ended without `deliver`: RSET, a new greeting, STARTTLS, a lost connection, or
        content that the server itself refused.

        The reply to the client does not wait for it, but the next call does.  An error is logged.
        """

    @abstractmethod
    def end(self) -> Result[None]:
        """The connection has ended; this is the last call.  An error is logged."""


@contract
class IDeliverySessions(Contract, metaclass=ContractClass):
    """Gives each connection an IDelivery of its own.

    A server takes it instead of an `IDelivery`.  It is the object that may provide the optional contracts of
    deliveries, such as `IServiceExtensions`.  `mailproto.delivery.PerSession` makes one from a class.
    """

    def begin(self, session: Session) -> Result[IDeliverySession]:
        """Called for each connection, before the greeting.

        :param session: what is known then: the client's address and TLS.  Later calls get more.
        :raises MailError: the client is turned away, with 554 for a permanent error and 421 for a temporary
            one.
        """


@contract
class IOwnership(Contract, metaclass=ContractClass):
    """An IDelivery that knows which account owns an address (RFC 6409 6.1).

    Without it, an account of a submission server owns one address: its own name.
    """

    def owns(self, account: str, path: Address) -> Result[bool]:
        """Whether ``account`` may send as ``path``; never called with the null path."""


@contract
class IPlacing(Contract, metaclass=ContractClass):
    """An IDelivery that puts mail into mailboxes of a store, and tells which before it does.

    `mailproto.relay.QueueDelivery` needs it: copies for mailboxes and for other servers are one transaction.
    """

    def place(self, path: Address) -> Result[Sequence[Placement]]:
        """Where mail for an address goes.

        :raises RelayDenied: the address belongs to another server.
        :raises MailError: it belongs here, and cannot get mail.
        """


@contract
class IServiceExtensions(Contract, metaclass=ContractClass):
    """An IDelivery that honours extensions of ESMTP.

    The server offers these extensions to clients; clients may use no others.  The server has checked the
    parameters of `IDelivery.sender`, `IDelivery.recipient` and of the envelope;
    `mailproto.smtp.wire.mail_options` and ``rcpt_options`` read them.
    """

    @property
    def service_extensions(self) -> ServiceExtensions:
        """The extensions that it honours; the value must not change while it is served."""


@contract
class IPermittedCommands(Contract, metaclass=ContractClass):
    """An `IVerifier`, `IExpander` or `IQueueRunner` that serves some clients only.

    The server announces VRFY, EXPN and ETRN to those clients that may use them (RFC 5321 3.5.2), and calls
    the delivery for nobody else.  Without this contract, all may.
    """

    def permits(self, session: Session, verb: str) -> bool:
        """Whether this client may use a command, as far as is known of it now; asked at each greeting.

        Others get 252 for VRFY and EXPN, whatever they ask for (RFC 5321 7.3), and 459 for ETRN (RFC 1985 5).
        """


@contract
class IVerifier(Contract, metaclass=ContractClass):
    """An IDelivery that tells whether an address exists (VRFY, RFC 5321 3.5).

    Without it the server gives every VRFY the same answer, which reveals nothing to address collectors.
    """

    def verify(self, session: Session, name: str) -> Result[VerifiedName | None]:
        """The mailbox that ``name``, an address or part of one, refers to; None for "cannot say" (252).

        :raises MailError: there is no such mailbox (550), it has moved (551), or the name is ambiguous
            (553).
        """


@contract
class IExpander(Contract, metaclass=ContractClass):
    """An IDelivery that lists the members of a mailing list (EXPN, RFC 5321 3.5)."""

    def expand(self, session: Session, name: str) -> Result[Sequence[VerifiedName]]:
        """The members of a mailing list, at least one.

        :raises MailError: there is no such list (550), or this client may not see this one (550 5.7.2).
        """


@contract
class IQueueRunner(Contract, metaclass=ContractClass):
    """An IDelivery with a queue that a client can start (ETRN, RFC 1985)."""

    def run_queue(self, session: Session, node: str) -> Result[int | None]:
        """Begin to send the messages queued for ``node``.

        ``node`` is a domain, ``@`` and a domain for all its subdomains, or ``#`` and a queue's name.

        :returns: the number of messages in that queue; None if it is not known.
        :raises MailError: the queue cannot be run (458 4.3.0), or this client may not run it (459 4.7.1).
        """
