"""Headers and bodies as case-mapped text for SEARCH (RFC 9051 6.4.4)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime

from mailproto.content import Octets
from mailproto.message._addresses import ADDRESS_FIELD_LIMIT, Mailbox, address_steps
from mailproto.message._casemap import searched_key, searched_text
from mailproto.message._dates import parse_date
from mailproto.message._encoded_words import decode_header
from mailproto.message._fields import FIELD_LIMIT, REPEATS_LIMIT, limited_fields, searched_fields
from mailproto.message._index import Index
from mailproto.message._long_text import LongText
from mailproto.message._part_text import PIECE
from mailproto.message._searched_texts import (
    LITTLE,
    body_texts,
    charset_of_texts,
    header_texts,
    is_word,
)
from mailproto.message._steps import Steps, finish

__all__ = ["Searchable", "address_texts", "lines", "with_single_blanks"]


class Searchable:
    """One message for SEARCH; each text is made when it is first needed, and kept, if it is not too large.

    Keys are texts mapped by `search_key`, or by `casemap`; a key matches anywhere in a text.  White space
    in a key matches any white space, because senders break lines anywhere.  Invisible characters, such as
    soft hyphens, are ignored.

    A message of more than 16 KB is searched in pieces: the methods with the ending ``_steps`` pause after
    each.  Of headers and of bodies, `TEXT_LIMIT` octets are searched in all; of one header, `HEADER_LIMIT`
    octets and `FIELDS_LIMIT` fields, and `FIELD_LIMIT` octets of each.

    :param keys: all that will be looked for in bodies or texts: if one of these is too large to be kept, all
        of them are looked for in one pass.
    """

    def __init__(self, content: Octets, index: Index, keys: Collection[str] = ()) -> None:
        self.content = content
        self.index = index
        self._keys = keys
        self._fields: dict[bytes, list[bytes]] | None = None
        self._values: dict[bytes, list[str]] = {}
        self._addresses: dict[bytes, list[str]] = {}
        self._charset = _Charset(content, index)
        self._date: datetime | None = None
        self._has_date = False  # whether it was looked for
        self._header_texts: _Texts | None = None
        self._body_texts: _Texts | None = None

    def in_header(self, name: bytes, key: str) -> bool:
        """HEADER: whether a field ``name`` contains ``key``; "" matches every field of that name."""
        return finish(self.in_header_steps(name, key))

    def in_header_steps(self, name: bytes, key: str) -> Steps[bool]:
        """As `in_header`, in steps."""
        name = name.lower()
        values = self._values.get(name)
        if values is None:
            self._values[name] = values = yield from self._mapped(name)
        return (yield from _in_any(values, searched_key(key)))

    def in_addresses(self, name: bytes, key: str) -> bool:
        """FROM, TO, CC, BCC: as `in_header`, or whether a name or an address in ENVELOPE contains ``key``."""
        return finish(self.in_addresses_steps(name, key))

    def in_addresses_steps(self, name: bytes, key: str) -> Steps[bool]:
        """As `in_addresses`, in steps."""
        name = name.lower()
        if (yield from self.in_header_steps(name, key)):
            return True
        if not key:
            return False
        addresses = self._addresses.get(name)
        if addresses is None:
            self._addresses[name] = addresses = yield from self._mapped_addresses(name)
        return (yield from _in_any(addresses, searched_key(key)))

    def values_steps(self, name: bytes) -> Steps[str | None]:
        """All that `in_header` looks in, a line for each field; None if there is no field ``name``."""
        values = yield from self._mapped(name)
        return lines(values) if values else None

    def address_values_steps(self, name: bytes) -> Steps[str | None]:
        """All that `in_addresses` looks in, a line for each text; None if there is no field ``name``."""
        values = yield from self._mapped(name)
        if not values:
            return None
        addresses = yield from self._mapped_addresses(name)
        if sum(map(len, values)) <= LITTLE:  # most addresses are also in the field as it is written
            text = "\n".join(values)
            addresses = [address for address in addresses if address not in text]
        return lines([*values, *addresses])

    def sent(self) -> datetime | None:
        """The date in the Date field, with its zone; None if there is none, or if it is not valid."""
        if not self._has_date:
            values = self._raw(b"date")
            self._date = parse_date(values[0]) if values else None
            self._has_date = True
        return self._date

    def in_body(self, key: str) -> bool:
        """BODY: whether a text part contains ``key``, or the header of a message within the message does."""
        return finish(self.in_body_steps(key))

    def in_body_steps(self, key: str) -> Steps[bool]:
        """As `in_body`, in steps."""
        key = searched_key(key)
        return not key or (yield from self._in_bodies(key))

    def in_text(self, key: str) -> bool:
        """TEXT: as `in_body`, or whether a line of the message's or a part's header contains ``key``."""
        return finish(self.in_text_steps(key))

    def in_text_steps(self, key: str) -> Steps[bool]:
        """As `in_text`, in steps."""
        key = searched_key(key)
        return not key or (yield from self._in_headers(key)) or (yield from self._in_bodies(key))

    def _mapped(self, name: bytes) -> Steps[list[str]]:
        """The values of the fields ``name``, decoded, mapped, and on one line."""
        mapped = []
        size = 0
        for value in self._raw(name):
            value = value[:FIELD_LIMIT]
            text = searched_text(decode_header(value, "" if value.isascii() else self._charset.name()))
            mapped.append(with_single_blanks(text))
            size += len(value) + _COST
            if size > LITTLE:
                yield
                size = 0
        return mapped

    def _raw(self, name: bytes) -> list[bytes]:
        """The values of the fields ``name``, as they are."""
        root = self.index.root
        found = searched_fields(self.content, root.header, root.body, name)
        if found is not None:
            return found
        if self._fields is None:
            self._fields = {}
            for own, value, _, _ in limited_fields(self.content, root.header, root.body):
                self._fields.setdefault(own.lower(), []).append(value)
        return self._fields.get(name, [])

    def _mapped_addresses(self, name: bytes) -> Steps[list[str]]:
        """The names and addresses that ENVELOPE shows, mapped."""
        mapped: list[str] = []
        left = ADDRESS_FIELD_LIMIT
        for value in self._raw(name)[:REPEATS_LIMIT]:
            value = value[: min(left, FIELD_LIMIT)]
            left -= len(value)
            mapped += address_texts((yield from address_steps(value)))
            yield
            if left <= 0:
                break
        return mapped

    def _in_headers(self, key: str) -> Steps[bool]:
        texts = self._header_texts
        if texts is None:
            content, index, charset = self.content, self.index, self._charset
            self._header_texts = texts = self._texts(
                lambda word: header_texts(content, index, charset.name, word)
            )
        return texts.contain(key)

    def _in_bodies(self, key: str) -> Steps[bool]:
        texts = self._body_texts
        if texts is None:
            content, index = self.content, self.index
            self._body_texts = texts = self._texts(lambda word: body_texts(content, index, word))
        return texts.contain(key)

    def _texts(self, make: Callable[[str], Iterator[str | None]]) -> _Texts:
        return _Texts(make, self.index.root.end <= PIECE, self._keys)


_COST = 100  # in octets, of a field without a value


class _Charset:
    """The charset of 8-bit octets in the header, which is found when it is first needed."""

    # `Searchable` is in no cycle of references, so that its texts are freed at once.
    __slots__ = ("_content", "_index", "_name")

    def __init__(self, content: Octets, index: Index) -> None:
        self._content = content
        self._index = index
        self._name: str | None = None

    def name(self) -> str:
        """Its name; "" if no text names one."""
        if self._name is None:
            self._name = charset_of_texts(self._content, self._index)
        return self._name


class _Texts:
    """Some texts of a message, small or large."""

    __slots__ = ("_is_small", "_keys", "_lines", "_long", "_make", "_whole")

    def __init__(
        self,
        make: Callable[[str], Iterator[str | None]],
        is_small: bool,
        keys: Collection[str],
    ) -> None:
        self._make = make
        self._is_small = is_small
        self._keys = keys
        self._whole: list[str] | None = None
        self._lines: list[str] | None = None
        self._long: LongText | None = None

    def contain(self, key: str) -> Steps[bool]:
        """Whether one of the texts contains ``key``."""
        if self._is_small:
            if self._whole is None and len(self._keys) == 1 and is_word(key):
                return any(key in text for text in self._make(key) if text)
            return any(key in text for text in (self._on_one_line() if " " in key else self._as_they_are()))
        if self._long is None:
            self._long = LongText(lambda: self._make(""), {searched_key(each) for each in self._keys} - {""})
        return (yield from self._long.contains(key))

    def _as_they_are(self) -> list[str]:
        if self._whole is None:
            self._whole = [piece for piece in self._make("") if piece]
        return self._whole

    def _on_one_line(self) -> list[str]:
        """With single blanks for white space, and with a blank at both ends."""
        if self._lines is None:
            self._lines = [f" {' '.join(text.split())} " for text in self._as_they_are()]
        return self._lines


def address_texts(mailboxes: Iterable[Mailbox]) -> Iterator[str]:
    """The names and addresses that ENVELOPE shows, mapped."""
    for shown, _, local, host in mailboxes:
        if shown:
            yield with_single_blanks(searched_text(decode_header(shown)))
        if local:
            address = local if host is None else b"%b@%b" % (local, host)
            yield searched_text(decode_header(address))


def lines(values: list[str]) -> str:
    """One after another.  A line end in a value becomes a CR, which no key has, either."""
    return "\n".join([value.replace("\n", "\r") for value in values])


def _in_any(texts: list[str], key: str) -> Steps[bool]:
    size = 0
    for text in texts:
        if key in text:
            return True
        size += len(text) + _COST
        if size > LITTLE:
            yield
            size = 0
    return False


def with_single_blanks(value: str) -> str:
    """An unfolded header value with single blanks for white space."""
    return " ".join(value.split()) if "  " in value or "\t" in value else value
