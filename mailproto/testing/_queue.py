"""The whole conformance suite for queues."""

from __future__ import annotations

from mailproto.testing._queue_adding import QueueAddingConformance
from mailproto.testing._queue_deadlines import QueueDeadlinesConformance
from mailproto.testing._queue_handover import QueueHandoverConformance
from mailproto.testing._queue_leasing import QueueLeasingConformance
from mailproto.testing._queue_operating import QueueOperatingConformance
from mailproto.testing._queue_order import QueueOrderConformance

__all__ = ["QueueConformance"]


class QueueConformance(
    QueueAddingConformance,
    QueueLeasingConformance,
    QueueHandoverConformance,
    QueueOrderConformance,
    QueueDeadlinesConformance,
    QueueOperatingConformance,
):
    """Tests the queue of an `IQueueStore`.

    Besides ``make_store``, override ``make_second_store`` if several objects can work with the same data.
    """
