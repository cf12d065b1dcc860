"""Stores: all mail of all accounts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

from zope.interface.interface import InterfaceClass

from mailproto._contracts import Contract, ContractClass, contract
from mailproto.awaiting import Result
from mailproto.content import Octets
from mailproto.errors import MailError
from mailproto.interfaces._accounts import IAccount, IDirectory
from mailproto.model import AppendedMessage, CheckResult, Placement

__all__ = ["IAddOns", "ICheckable", "IStore"]


@contract
class IAddOns(Contract, metaclass=ContractClass):
    """Tells servers which optional contracts exist before any client signs in, so that greetings are true.

    Servers ask the realm of their portal (``portal.realm``).  A realm that does not provide this has no
    add-ons.  `IMetadata` and `IBoundedReading` need not be listed: they change nothing that a
    client sees.
    """

    @property
    def add_ons(self) -> frozenset[InterfaceClass]:
        """The optional contracts, such as `IObjectIds`, that every mailbox and every account of this
        store provides.
        """


@contract
class IStore(IAddOns, Contract, metaclass=ContractClass):
    """Keeps the mail of all accounts: what ``--store URL`` opens.

    `IAddOns.add_ons` lists the optional contracts of its accounts and mailboxes.
    """

    @property
    def directory(self) -> IDirectory:
        """The accounts."""

    @abstractmethod
    def start(self) -> Result[None]:
        """Open files and start threads.  Called once, before anything else.

        :raises mailproto.errors.StoreUnusable: the store cannot be opened; the text says what is wrong.
        """

    @abstractmethod
    def stop(self) -> Result[None]:
        """Finish running work and close.  Called once, after everything else."""

    @abstractmethod
    def account(self, name: str) -> Result[IAccount]:
        """The account of that name, in any spelling.

        :raises NoSuchAccount: there is none.
        """

    @abstractmethod
    @abstractmethod
    def deliver(
        self, content: Octets, placements: Sequence[Placement], internal_date: int | None = None
    ) -> Result[Sequence[AppendedMessage | MailError]]:
        """Put one message into some mailboxes, in one transaction; its content is stored once.

        The same placement twice makes two messages.

        :param content: octets with CRLF line ends.
        :param internal_date: seconds since the epoch; None for now.
        :returns: for each of ``placements``, in that order: where the message is, or the error that
            prevented it, such as `NoSuchAccount`, `NoSuchMailbox` or `OverQuota`.  One failure does not
            affect the others.
        :raises ValueError: a flag is neither a system flag nor a keyword; the message is put nowhere.
        """


@contract
class ICheckable(Contract, metaclass=ContractClass):
    """An IStore that can look for faults in its data: ``mailproto store check``."""

    def check(self, report: Callable[[str], None], *, repair: bool = False) -> Result[CheckResult]:
        """Check all data; the store may be in use.

        :param report: called in the reactor's thread with a line of text for each fault, as soon as it is
            found.
        :param repair: also repair the faults that can be repaired.
        """
