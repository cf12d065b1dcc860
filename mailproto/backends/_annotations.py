"""Annotations (RFC 5464): which names and values they may have, and those of an account in memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mailproto.errors import AnnotationTooLarge, InvalidAnnotation, NoPermission, TooManyAnnotations

__all__ = [
    "ANNOTATIONS_AT_ONCE",
    "MAX_ANNOTATIONS",
    "MAX_ANNOTATIONS_OCTETS",
    "MAX_ANNOTATION_NAME",
    "MAX_ANNOTATION_OCTETS",
    "SERVER",
    "Annotations",
    "are_below",
    "asked_entries",
    "changed_entries",
    "check_number",
    "is_private",
]

MAX_ANNOTATIONS = 10_000
"""The most annotations of an account; removed ones may count until there are so many."""

MAX_ANNOTATIONS_OCTETS = 4 << 20
"""The most octets of an account's annotations, with their names."""

ANNOTATIONS_AT_ONCE = 100
"""So many are looked at in some milliseconds, even if their names have hundreds of levels."""

MAX_ANNOTATION_OCTETS = 64 << 10
"""The most octets of an annotation's value."""

MAX_ANNOTATION_NAME = 1000
"""The most octets of an annotation's name."""

SERVER = ""
"""The name of the mailbox whose annotations are the server's."""

_NAME = re.compile(r"/(private|shared)(/[ -$&-)+-.0-~]+)*")


def asked_entries(entries: Sequence[str]) -> list[str]:
    """The stored form of names that somebody asks for, each once.

    :raises InvalidAnnotation: a name cannot be one.
    """
    found = dict.fromkeys(entry.lower() for entry in entries)
    for entry in found:
        if len(entry) > MAX_ANNOTATION_NAME or not _NAME.fullmatch(entry):
            raise InvalidAnnotation
    return list(found)


def changed_entries(mailbox: str, values: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """The stored form of names that somebody changes, with their values.

    :raises InvalidAnnotation, AnnotationTooLarge, NoPermission: see `IAnnotations.annotate`.
    """
    asked_entries(list(values))
    for entry, value in values.items():
        if entry.count("/") < 2:
            raise InvalidAnnotation
        if mailbox == SERVER and not is_private(entry.lower()):
            raise NoPermission
        if value is not None and len(value) > MAX_ANNOTATION_OCTETS:
            raise AnnotationTooLarge(MAX_ANNOTATION_OCTETS)
    return {entry.lower(): None if value is None else bytes(value) for entry, value in values.items()}


def is_private(entry: str) -> bool:
    """Whether it is only for the account that set it."""
    return entry.startswith("/private")


def are_below(entries: Iterable[str], asked: Sequence[str], depth: int | None) -> Iterator[str]:
    """Those of ``entries`` that are among ``asked``, or below one within ``depth``."""
    exact = set(asked)
    for entry in entries:
        if entry in exact or any(above in exact for above in _above(entry, depth)):
            yield entry


def _above(entry: str, depth: int | None) -> Iterator[str]:
    """The names above an entry, the nearest first; at most ``depth`` of them."""
    at = entry.rfind("/")
    while at > 0 and depth != 0:
        yield entry[:at]
        at = entry.rfind("/", 0, at)
        depth = None if depth is None else depth - 1


def check_number(number: int, octets: int) -> None:
    """Check the number of an account's annotations, and their octets.

    :raises TooManyAnnotations: they are too many.
    """
    if number > MAX_ANNOTATIONS or octets > MAX_ANNOTATIONS_OCTETS:
        raise TooManyAnnotations


Key = tuple[str, str, str]
"""The id of a mailbox, or `SERVER`; the account that alone sees it, or ""; and the entry."""


@dataclass(slots=True)
class Annotations:
    """The annotations of an account in memory, and the modseq of each change."""

    _values: dict[Key, tuple[bytes | None, int]] = field(default_factory=dict)

    def of(self, mailbox: str, viewer: str) -> dict[str, bytes]:
        """The annotations of a mailbox that an account sees, by entry."""
        return {
            entry: value
            for (where, owner, entry), (value, _) in self._values.items()
            if where == mailbox and owner in ("", viewer) and value is not None
        }

    def change(self, mailbox: str, viewer: str, values: Mapping[str, bytes | None], modseq: int) -> None:
        """Set or remove some; all or none.  :raises TooManyAnnotations:"""
        changed = dict(self._values)
        for entry, value in values.items():
            key = (mailbox, viewer if is_private(entry) else "", entry)
            if value is not None or key in changed:
                changed[key] = value, modseq
        self._keep(changed)

    def copy(self, mailbox: str, target: str, modseq: int) -> None:
        """Give a mailbox the annotations of another one; all or none.  :raises TooManyAnnotations:"""
        copies = {
            (target, viewer, entry): (value, modseq)
            for (where, viewer, entry), (value, _) in self._values.items()
            if where == mailbox and value is not None
        }
        self._keep(self._values | copies)

    def _keep(self, changed: dict[Key, tuple[bytes | None, int]]) -> None:
        if len(changed) > MAX_ANNOTATIONS:
            changed = {key: each for key, each in changed.items() if each[0] is not None}
        octets = sum(len(entry) + len(value or b"") for (_, _, entry), (value, _) in changed.items())
        check_number(len(changed), octets)
        self._values = changed

    def forget(self, mailbox: str) -> None:
        """Remove those of a mailbox."""
        self._values = {key: each for key, each in self._values.items() if key[0] != mailbox}

    def forget_viewer(self, viewer: str) -> None:
        """Remove those that only one account sees."""
        self._values = {key: each for key, each in self._values.items() if key[1] != viewer}

    def since(self, modseq: int, viewer: str) -> dict[str, list[str]]:
        """The entries that were changed after a modseq, and that an account sees, by mailbox."""
        found: dict[str, list[str]] = {}
        for (mailbox, owner, entry), (_, changed) in self._values.items():
            if changed > modseq and owner in ("", viewer):
                found.setdefault(mailbox, []).append(entry)
        return found
