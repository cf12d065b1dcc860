"""FILTERS (RFC 5466): keys of SEARCH that are kept on the server, as annotations."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailproto.awaiting import settle
from mailproto.errors import InvalidAnnotation
from mailproto.imap.server._errors import RefusedWithCode
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._matching import Search, SearchKeys
from mailproto.imap.server._registry import tables_of
from mailproto.imap.server._session import Session
from mailproto.imap.wire import (
    And,
    ArgumentReader,
    IMAPWireError,
    KeyReader,
    Not,
    Or,
    SearchKey,
)
from mailproto.interfaces.add_ons import IAnnotations

__all__ = ["EXTENSION"]

_DEPTH = 5
"""How deep filters may be in filters; at least 3 (RFC 5466 3.1)."""

_OCTETS = 1 << 14
"""How long all filters of a search may be, each as often as it is named."""

_PLACES = ("/private/filters/values/", "/shared/filters/values/")
"""Where filters are, the first one first."""

_NAME = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\\]/]{1,1024}+')


@dataclass(frozen=True, slots=True)
class Filter(SearchKey):
    """FILTER."""

    name: str


def _filter(keys: KeyReader) -> Filter:
    keys.arguments.space()
    name = keys.arguments.expect(_NAME, "the name of a filter")[0].decode("ascii")
    if not keys.decodes:
        raise IMAPWireError("Filters are in UTF-8", code="BADCHARSET (US-ASCII UTF-8)")
    return Filter(name)


def _condition(search: Search, key: Filter) -> SearchKey:
    raise Undefined(key.name)  # it has taken the place of all there are before


class Undefined(RefusedWithCode):
    """There is no such filter, or it cannot be read."""

    def __init__(self, name: str) -> None:
        super().__init__(f"UNDEFINED-FILTER {name}", "No such filter")


async def _resolve(session: Session, key: SearchKey) -> SearchKey:
    return await _Filters(session).resolved(key, 0)


class _Filters:
    """The filters of one search."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._read: dict[str, bytes] = {}
        self._octets = 0

    async def resolved(self, key: SearchKey, depth: int) -> SearchKey:
        """The key with the keys of filters in their place."""
        match key:
            case Filter(name):
                return await self.resolved(self._parsed(name, await self._value(name), depth), depth + 1)
            case And(keys):
                found = [await self.resolved(each, depth) for each in keys]
                await self._session.yield_turn()
                return And(tuple(found))
            case Or(left, right):
                return Or(await self.resolved(left, depth), await self.resolved(right, depth))
            case Not(inner):
                return Not(await self.resolved(inner, depth))
        return key

    async def _value(self, name: str) -> bytes:
        value = self._read.get(name)
        account = self._session.signed_in
        if value is None and IAnnotations.providedBy(account):
            entries = [place + name.lower() for place in _PLACES]
            try:
                values = await settle(account.annotations("", entries))
            except InvalidAnnotation:
                raise Undefined(name) from None
            value = next((values[entry] for entry in entries if entry in values), None)
        if value is None:
            raise Undefined(name)
        self._read[name] = value
        return value

    def _parsed(self, name: str, value: bytes, depth: int) -> SearchKey:
        self._octets += len(value)
        if depth >= _DEPTH or self._octets > _OCTETS or b"\n" in value:  # there are no literals here
            raise Undefined(name)
        session = self._session
        arguments = ArgumentReader(
            value, (), 0, limits=session.wire.limits, utf8=False, syntax=tables_of(session).syntax
        )
        try:
            key = KeyReader(arguments, "utf-8").all_keys()
            arguments.end()
        except IMAPWireError:
            raise Undefined(name) from None
        return key


EXTENSION = Extension(
    "FILTERS",
    capabilities=("FILTERS",),
    needs=frozenset({IAnnotations}),
    on_search_keys=_resolve,
    search_keys=(SearchKeys(Filter, _condition, readers={b"FILTER": _filter}),),
)
