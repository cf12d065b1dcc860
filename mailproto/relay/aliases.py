"""Aliases for a `mailproto.relay.QueueDelivery`, and what it needs to send on the mail of others::

    domains = ["example.org"]
    QueueDelivery(
        store,
        MailboxDelivery(store, domains),
        Routes("mx"),
        aliases=AliasFile("/etc/mailproto/aliases", domains),
        srs=SRS(domains[0], secret, domains=domains),
    )

For aliases from anywhere else, implement `mailproto.interfaces.IAliases`.
"""

from mailproto.relay._alias_file import AliasFile
from mailproto.relay._alias_limits import AliasLimits
from mailproto.relay._srs import SRS

__all__ = ["SRS", "AliasFile", "AliasLimits"]
