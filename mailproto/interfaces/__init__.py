"""The interfaces that backend authors implement, and nothing else.

Four rules apply to every method here.

*Result.*  A method is called in the reactor's thread.  It may be a plain function, a coroutine function, or
return a ``Deferred`` or (if the reactor runs on asyncio's loop) an asyncio future; its result is awaited
(`mailproto.awaiting`).  A method that blocks must move its work to another thread; one that works for more
than some milliseconds awaits `mailproto.awaiting.turn` in between.

*Errors.*  Raise `mailproto.errors`; the protocol tells the client what the error
means in its own terms.  Any other exception is logged in full and the client is
told of a temporary failure.

*Durability.*  When the result of a method that changes something arrives, the
change is on disk (for backends that keep mail on disk) and visible to every other reader.

*Content.*  The octets of a message are a `mailproto.content.Content`, whatever their size.

Optional contracts (`IRecent`, `IObjectIds`, `IOwnership`, `IPlacing`, `IServiceExtensions`, `IVerifier`,
`IExpander`, `IQueueRunner`, `IPermittedCommands`, `IFixedMailboxes`, `IAccountChanges`, `ICheckable`,
`IQueueStore`, `IHandover`) extend a required one; servers find them with ``providedBy``.  A store also lists
the optional contracts of its mailboxes and accounts before any client signs in (`IAddOns.add_ons`).
"""

from mailproto.interfaces._accounts import (
    IAccount,
    IAccountChanges,
    IDirectory,
    IFixedMailboxes,
    IIdentity,
    IRevocable,
)
from mailproto.interfaces._aliases import IAliases
from mailproto.interfaces._deliveries import (
    IDelivery,
    IDeliverySession,
    IDeliverySessions,
    IExpander,
    IOwnership,
    IPermittedCommands,
    IPlacing,
    IQueueRunner,
    IServiceExtensions,
    IVerifier,
)
from mailproto.interfaces._mailboxes import IBoundedReading, IMailbox, IMetadata, IObjectIds, IRecent
from mailproto.interfaces._queues import IHandover, IQueue, IQueueStore
from mailproto.interfaces._stores import IAddOns, ICheckable, IStore

__all__ = [
    "IAccount",
    "IAccountChanges",
    "IAddOns",
    "IAliases",
    "IBoundedReading",
    "ICheckable",
    "IDelivery",
    "IDeliverySession",
    "IDeliverySessions",
    "IDirectory",
    "IExpander",
    "IFixedMailboxes",
    "IHandover",
    "IIdentity",
    "IMailbox",
    "IMetadata",
    "IObjectIds",
    "IOwnership",
    "IPermittedCommands",
    "IPlacing",
    "IQueue",
    "IQueueRunner",
    "IQueueStore",
    "IRecent",
    "IRevocable",
    "IServiceExtensions",
    "IStore",
    "IVerifier",
]
