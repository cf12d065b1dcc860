"""Starting the queue for a domain, as ETRN asks for (RFC 1985)."""

from __future__ import annotations

from mailproto.awaiting import settle
from mailproto.domains import canonical_domain, domain_fault, literal_address
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
    name, is_wide = node.removeprefix("@"), node.startswith("@")
    if not literal_address(name) and (fault := domain_fault(name)):
        raise Refused(501, "5.5.4", f"That is no domain: it {fault}")
    domain, started, after = canonical_domain(name), 0, 0
    wanted = QueueFilter(domain=domain, state=QueueState.WAITING)
    if is_wide:  # finds others, too
        wanted = QueueFilter(recipient=_in_all_spellings(domain), state=QueueState.WAITING)
    while page := await settle(queue.find(wanted, after=after)):
        after = page[-1].id
        chosen = [each.id for each in page if not is_wide or _waits_below(each, domain)]
        started += len(await settle(queue.change(chosen, QueueChange.RETRY)))
    return started


def _in_all_spellings(domain: str) -> str:
    """The end of a domain that recipients of it have in any spelling: U-labels are not as A-labels."""
    return domain[domain.rfind("xn--") :].partition(".")[2] if "xn--" in domain else domain


def _waits_below(message: QueuedMessage, domain: str) -> bool:
    """Whether a message waits for a recipient of the domain, or of one below it."""
    return any(
        f".{canonical_domain(each.recipient.address.domain)}".endswith(f".{domain}")
        for each in message.recipients
        if each.state is QueueState.WAITING
    )
