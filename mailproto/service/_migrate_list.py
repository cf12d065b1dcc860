"""The list of ``mailproto migrate``: one account in each line, with its passwords."""

from __future__ import annotations

import csv
from argparse import ArgumentTypeError
from collections.abc import Iterator
from dataclasses import dataclass, field

from mailproto.auth import Password
from mailproto.service._mirror_place import MirrorPlace

__all__ = ["Migration", "migrations"]


@dataclass(frozen=True, slots=True)
class Migration:
    """One line of the list.

    :ivar passwords: of the source and of the target; None for an account here, and for one whose password
        comes from somewhere else.
    """

    source: MirrorPlace
    target: MirrorPlace
    passwords: tuple[Password | None, Password | None] = field(repr=False, default=(None, None))


def migrations(text: str, needed: tuple[bool, bool] = (True, True)) -> Iterator[Migration]:
    """Read a list: comma-separated values, ``SOURCE,SOURCE_PASSWORD,TARGET,TARGET_PASSWORD``.

    A field with a comma or a quote is written in quotes, a quote in it twice.  A password is empty for an
    account here, or if it comes from somewhere else; the last field may be left out then.  A first line of
    the fields' names, empty lines and lines that begin with ``#`` mean nothing.

    :param needed: whether the passwords of the sources, and of the targets, must be there.
    :raises ValueError: a line is not valid; the message has its number, and nothing of a password.
    """
    seen: set[tuple[str, str]] = set()
    lines = [line if not line.startswith("#") else "" for line in text.splitlines()]
    reader = csv.reader(lines, strict=True)
    try:
        for row in reader:
            fields = [each.strip() if number % 2 == 0 else each for number, each in enumerate(row)]
            if not any(fields) or fields[0].lower() == "source":
                continue
            found = _migration(fields, needed)
            names = (str(found.source), str(found.target))
            if names in seen:
                raise ValueError("it is there twice")
            seen.add(names)
            yield found
    except csv.Error:
        raise ValueError(f"line {reader.line_num}: its quotes are wrong") from None
    except (ArgumentTypeError, ValueError) as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None


def _migration(fields: list[str], needed: tuple[bool, bool]) -> Migration:
    if not 3 <= len(fields) <= 4:
        raise ValueError("must be SOURCE,SOURCE_PASSWORD,TARGET,TARGET_PASSWORD")
    source, target = MirrorPlace.parse(fields[0]), MirrorPlace.parse(fields[2])
    passwords = fields[1], fields[3] if len(fields) == 4 else ""
    found = [_password(*each) for each in zip((source, target), passwords, needed, strict=True)]
    if source.mailbox or target.mailbox:
        raise ValueError("accounts are migrated as a whole: leave out the mailbox")
    return Migration(source, target, (found[0], found[1]))


def _password(place: MirrorPlace, password: str, is_needed: bool) -> Password | None:
    if place.url is None:
        if password:
            raise ValueError("an account here needs no password: leave it empty")
        return None
    if password:
        return Password(place.url.user, password)
    if is_needed:
        raise ValueError(f"{place} needs a password")
    return None
