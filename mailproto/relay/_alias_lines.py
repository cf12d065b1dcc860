"""Reads the text of an alias file: that of aliases(5), and addresses as virtual(5) has them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mailproto.accounts import account_key
from mailproto.domains import domain_fault, literal_address
from mailproto.model import Address
from mailproto.printable import printable
from mailproto.relay._alias_limits import AliasLimits

__all__ = ["AliasTable", "read_aliases"]

AliasTable = dict[str, tuple[Address, ...]]
"""The results by the `mailproto.accounts.account_key` of ``name@``, ``name@domain`` or ``@domain``."""

_ITEM = re.compile(r'((?:"(?:[^"\\]|\\.)*"|\\.|[^",\\])*)(?:,|\Z)', re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_NAME = re.compile(r'((?:@\[[^\]]*\]|"(?:[^"\\]|\\.)*"|[^":\\])*):', re.DOTALL)


def read_aliases(text: str, main_domain: str, limits: AliasLimits) -> AliasTable:
    """The aliases of a file.

    :param main_domain: of results without a domain.
    :raises ValueError: a line is not valid; the text has its number.
    """
    table: AliasTable = {}
    lines: dict[str, int] = {}
    for number, entry in _entries(text, limits):
        try:
            key, found = _read(entry, main_domain, limits)
            if key in table:
                raise ValueError(f"it is there already, in line {lines[key]}")
        except ValueError as error:
            raise ValueError(f"line {number}: {printable(str(error))}") from None
        table[key] = found
        lines[key] = number
        if len(table) > limits.entries:
            raise ValueError(f"line {number}: there are more than {limits.entries} entries")
    return table


def _entries(text: str, limits: AliasLimits) -> Iterator[tuple[int, str]]:
    """The entries and the numbers of their first lines; a line that begins with a space goes on with one."""
    started, parts, size = 0, [""], 0
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if not (stripped := line.strip()) or stripped.startswith("#"):
            continue
        if line[0] in " \t":
            if not started:
                raise ValueError(f"line {number}: it begins with a space, but there is nothing to go on with")
            parts.append(stripped)
        else:
            if started:
                yield started, " ".join(parts)
            started, parts, size = number, [stripped], 0
        size += len(line)
        if size > limits.entry:
            raise ValueError(f"line {started}: the entry has more than {limits.entry} octets")
    if started:
        yield started, " ".join(parts)


def _read(entry: str, main_domain: str, limits: AliasLimits) -> tuple[str, tuple[Address, ...]]:
    """:raises ValueError: an entry is not valid."""
    match = _NAME.match(entry)
    if match is None:
        raise ValueError("must be NAME: ADDRESS, ADDRESS ...")
    name = match[1].strip()
    key = _key(name)
    found: dict[str, Address] = {}
    for item in _items(entry[match.end() :]):
        address = _result(item, name, main_domain)
        found.setdefault(str(address), address)
    if not found:
        raise ValueError(f"{name} has no addresses")
    if len(found) > limits.addresses:
        raise ValueError(f"{name} has more than {limits.addresses} addresses")
    return key, tuple(found.values())


def _key(name: str) -> str:
    if name.startswith("@"):
        domain = name[1:].removesuffix(".")
        if not literal_address(domain) and (fault := domain_fault(domain)):
            raise ValueError(f"the domain of {name} {fault}")
        return account_key(f"@{domain}")
    if "@" in _QUOTED.sub("", name):
        address = _address(name)
        return account_key(f"{address.local}@{address.domain}")
    return account_key(f"{_name(name)}@")


def _address(text: str) -> Address:
    """:raises ValueError: it is no address."""
    try:
        return Address.parse(text)
    except ValueError as error:
        raise ValueError(f"{text} is no address: {str(error).rpartition(': ')[2]}") from None


def _name(text: str) -> str:
    """A name without a domain, without quotes.

    :raises ValueError: it cannot be the local part of an address.
    """
    if not text:
        raise ValueError("there is no name before the colon")
    try:
        return Address.parse(f"{text}@name.example").local
    except ValueError:
        raise ValueError(f"{text} can be no name: quote it, if it has special characters") from None


def _items(text: str) -> Iterator[str]:
    """What is between commas that are not quoted.

    :raises ValueError: a quotation has no end.
    """
    start = 0
    while start < len(text):
        match = _ITEM.match(text, start)
        if match is None:
            raise ValueError("a quotation has no end")
        start = match.end()
        if item := match[1].strip():
            yield item


def _result(item: str, name: str, main_domain: str) -> Address:
    """:raises ValueError: it is no address."""
    bare = _PAIR.sub(r"\1", quoted[1]) if (quoted := _QUOTED.fullmatch(item)) else item
    for start, why in _REFUSED:
        if bare.lstrip().startswith(start):
            raise ValueError(f"{why}: {item}")
    if item.startswith("\\"):
        if item[1:] != name:
            raise ValueError(f"a backslash only means the own mailbox of {name}, not {item}")
        item = item[1:]
    if item.startswith("<") and item.endswith(">"):
        item = item[1:-1]
    if item.startswith("@"):
        raise ValueError(f"a whole domain cannot get the mail: {item}")
    if "@" in _QUOTED.sub("", item):
        return _address(item)
    return Address(_name(item), main_domain)


_REFUSED: Sequence[tuple[str, str]] = (
    ("|", "programs are not run"),
    (":", "other files are not included"),
    ("/", "no mail is written to files"),
)
