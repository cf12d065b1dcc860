"""Starting the queue for a domain, as ETRN asks for (RFC 1985)."""

from __future__ import annotations

from mailproto.awaiting import settle
from mailproto.domains import canonical_domain
from mailproto.errors import Refused
from mailproto.interfaces import IQueue
from mailproto.model import QueueChange, QueuedMessage, QueueFilter, QueueState

__all__ = ["run_queue"]


async def run_queue(queue: IQueue, node: str) -> int:
    """Try at once what waits for a domain, or with ``@`` before it, also for all domains below it.

    :returns: the number of messages.
    :raises Refused: the node is no domain.
    """
    if node.startswith("#"):
        raise Refused(458, "4.3.0", "There is no such queue")
    domain, started, after = canonical_domain(node.removeprefix("@")), 0, 0
    is_wide = node.startswith("@")
    wanted = QueueFilter(domain=domain, state=QueueState.WAITING)
    if is_wide:  # finds others, too
        wanted = QueueFilter(recipient=domain, state=QueueState.WAITING)
    while page := await settle(queue.find(wanted, after=after)):
        after = page[-1].id
        chosen = [each.id for each in page if not is_wide or _waits_below(each, domain)]
        started += len(await settle(queue.change(chosen, QueueChange.RETRY)))
    return started


def _waits_below(message: QueuedMessage, domain: str) -> bool:
    """Whether a message waits for a recipient of the domain, or of one below it."""
    return any(
        f".{canonical_domain(each.recipient.address.domain)}".endswith(f".{domain}")
        for each in message.recipients
        if each.state is QueueState.WAITING
    )
