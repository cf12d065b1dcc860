"""Checks of what programs pass to a queue's methods, the same for every queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mailproto._arguments import (
    check_call,
    check_line,
    check_seconds,
    check_type,
    check_whole,
    wrong_type,
    wrong_value,
)
from mailproto.model import Lease, NewQueued, QueueChange, QueueFilter, RecipientResult

__all__ = [
    "check_change",
    "check_destination_of",
    "check_lease",
    "check_leases",
    "check_limit",
    "check_new",
    "check_now",
    "check_overdue",
    "check_page",
    "check_pause",
    "check_renewal",
    "check_results",
    "check_taker",
    "checked_destination",
]


def check_new(name: str, messages: Sequence[NewQueued]) -> None:
    """:raises TypeError: they are no sequence of `NewQueued`."""
    _check_each(name, messages, NewQueued, "a NewQueued")


def check_leases(leases: Sequence[Lease]) -> None:
    """:raises TypeError: they are no sequence of `Lease`."""
    _check_each("leases", leases, Lease, "a Lease")


def check_lease(destination: str, now: float, until: float, messages: int, recipients: int) -> None:
    """:raises TypeError, ValueError: nothing can be leased so."""
    checked_destination(destination)
    check_seconds("now", now)
    check_seconds("until", until)
    check_whole("messages", messages, 1)
    check_whole("recipients", recipients, 1)


def check_overdue(now: float, until: float, messages: int) -> None:
    """:raises TypeError, ValueError: nothing can be leased so."""
    check_seconds("now", now)
    check_seconds("until", until)
    check_whole("messages", messages, 1)


def check_results(lease: Lease, results: Sequence[RecipientResult]) -> None:
    """:raises TypeError: they are no sequence of `RecipientResult`.
    :raises ValueError: one is not of a leased recipient, or there are two of one recipient.
    """
    if lease.__class__ is not Lease:
        check_type("lease", lease, Lease, "a Lease")
    _check_each("results", results, RecipientResult, "a RecipientResult")
    leased = {recipient.number for recipient in lease.message.recipients}
    for result in results:
        if result.number not in leased:
            takes = "of leased recipients, one of each"
            raise wrong_value("results", [each.number for each in results], takes)
        leased.discard(result.number)


def check_pause(destination: str, until: float, failures: int, reason: str) -> None:
    """:raises TypeError, ValueError: no destination can be paused so."""
    checked_destination(destination)
    check_seconds("until", until)
    check_whole("failures", failures)
    check_type("reason", reason, str, "a str")


def checked_destination(destination: str) -> str:
    """Return the name of a destination.  :raises TypeError, ValueError: it is none."""
    takes = "a destination, a str of one line"
    check_line("destination", destination, takes)
    try:
        destination.encode()
    except UnicodeError:
        raise wrong_value("destination", destination, takes) from None
    if not destination:
        raise wrong_value("destination", destination, takes)
    return destination


def check_destination_of(destination_of: Callable[[str], str]) -> None:
    """:raises TypeError: it is no function of a domain."""
    check_call("destination_of", destination_of, "a function of a domain that returns a destination", 1)


def check_taker(reserve: Callable[[str], float], take: Callable[[str, Lease | None], None]) -> None:
    """:raises TypeError: one is no such function."""
    check_call("reserve", reserve, "a function of a destination that returns a time, or 0", 1)
    check_call("take", take, "a function of a destination and a Lease, or None", 2)


def check_renewal(leases: Sequence[Lease], until: float) -> None:
    """:raises TypeError, ValueError: these are no leases, or this is no time."""
    check_leases(leases)
    check_seconds("until", until)


def check_limit(limit: int) -> None:
    """:raises TypeError, ValueError: there cannot be so many."""
    check_whole("limit", limit, 1)


def check_now(now: float) -> None:
    """:raises TypeError, ValueError: this is no time."""
    check_seconds("now", now)


def check_page(filter: QueueFilter, after: int, limit: int) -> None:
    """:raises TypeError, ValueError: this is no page."""
    check_type("filter", filter, QueueFilter, "a QueueFilter")
    check_whole("after", after)
    check_limit(limit)


def check_change(ids: Sequence[int], change: QueueChange) -> None:
    """:raises TypeError, ValueError: ``ids`` are no ids, or ``change`` is none."""
    if isinstance(ids, (str, bytes)) or not isinstance(ids, Sequence):
        raise wrong_type("ids", ids, "a list of numbers")
    for id_ in ids:
        check_whole("each of ids", id_)
    check_type("change", change, QueueChange, "a QueueChange")


def _check_each(name: str, values: Sequence[object], kind: type, takes: str) -> None:
    # A list is the usual case; `Sequence` takes Python longer to find out.
    if values.__class__ is not list and not isinstance(values, Sequence):
        raise wrong_type(name, values, f"a list, each {takes}")
    for value in values:
        if value.__class__ is not kind and not isinstance(value, kind):
            raise wrong_type(f"each of {name}", value, takes)
