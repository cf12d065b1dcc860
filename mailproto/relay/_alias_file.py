"""Aliases from a file."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from zope.interface import implementer

from mailproto._arguments import check_path, check_type, check_words
from mailproto.accounts import account_key, account_keys
from mailproto.interfaces import IAliases
from mailproto.model import Address
from mailproto.relay._alias_limits import AliasLimits
from mailproto.relay._alias_lines import AliasTable, read_aliases

__all__ = ["AliasFile"]


@implementer(IAliases)
class AliasFile:
    """Aliases in lines of a file, in the form of aliases(5)::

        postmaster: alice
        # in each of the domains
        info: alice, bob@example.org,
            carol@elsewhere.example
        sales@example.org: bob
        bob: bob, bob@elsewhere.example
        @old.example.org: alice

    - A name without a domain means that name in each of ``domains``; a result without one is in the first.
    - ``@domain`` is for all addresses of a domain that have no alias and no mailbox.
    - The alias of ``alice`` is also that of ``alice+anything``, unless that has its own.
    - An address among its own results means its own mailbox.
    - All spellings of names and domains are equal, as those of accounts are (`mailproto.accounts`).
    - A line that begins with a space goes on with the one before it; ``#`` at its beginning makes a comment.
      Special characters in a name need quotes: ``"a b": alice``.
    - Programs, other files and ``:include:`` are errors.

    :param file: in UTF-8.
    :param domains: at least one, the main one first.
    :raises TypeError: an argument is of the wrong type.
    :raises ValueError: the file cannot be read or used; the text has the line's number, not the file's name.
    """

    def __init__(
        self, file: str | os.PathLike[str], domains: Sequence[str], limits: AliasLimits | None = None
    ) -> None:
        check_path("file", file, "the path of a file")
        check_words("domains", domains, "example.org")
        check_type("limits", limits, (AliasLimits, type(None)), "an AliasLimits or None")
        self._file = Path(file)
        self._main_domain = domains[0]
        self._domains = frozenset(_domain_key(domain) for domain in domains)
        self._limits = limits or AliasLimits()
        self._table: AliasTable = {}
        self.prepare()()

    def __len__(self) -> int:
        """The number of entries."""
        return len(self._table)

    def prepare(self) -> Callable[[], None]:
        """Read the file again, in any thread; the result puts what it says into use.

        :raises ValueError: as for the class.
        """
        table = read_aliases(self._text(), self._main_domain, self._limits)

        def use() -> None:
            self._table = table

        return use

    def addresses_for(self, path: Address, is_unknown: bool) -> Sequence[Address] | None:
        """See `IAliases.addresses_for`."""
        table, domain = self._table, path.domain or self._main_domain
        if is_unknown:
            return table.get(f"@{_domain_key(domain)}")
        for key in account_keys(path.local, domain):
            found = table.get(key)
            if found is None:
                name, _, domain = key.rpartition("@")
                found = table.get(f"{name}@") if domain in self._domains else None
            if found is not None:
                return found
        return None

    def _text(self) -> str:
        """:raises ValueError: the file cannot be read."""
        limit = self._limits.file
        try:
            if not stat.S_ISREG(os.stat(self._file).st_mode):
                raise ValueError("it is no regular file")
            with self._file.open("rb") as opened:
                mode = os.fstat(opened.fileno()).st_mode
                octets = opened.read(limit + 1)
        except OSError as error:
            raise ValueError(error.strerror or str(error)) from None
        if mode & stat.S_IWOTH:
            raise ValueError(f"its mode is {stat.S_IMODE(mode):04o}: anybody may write it (chmod o-w)")
        if len(octets) > limit:
            raise ValueError(f"it has more than {limit} octets")
        try:
            return octets.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"line {octets.count(10, 0, error.start) + 1}: it is not UTF-8") from None


def _domain_key(domain: str) -> str:
    return account_key(f"@{domain}")[1:]
