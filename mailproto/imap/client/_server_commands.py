"""The commands about the connection and the server: CAPABILITY, ENABLE, ID, LANGUAGE, NOOP, COMPRESS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from twisted.internet.defer import Deferred

from mailproto._arguments import check_type, wrong_value
from mailproto.imap.client._answer_data import values_of
from mailproto.imap.client._command import Command, Piece
from mailproto.imap.client._core import ClientCore
from mailproto.imap.client._gathering import at_once, not_offered
from mailproto.imap.client._searching import string_piece
from mailproto.imap.wire._values import text_of

__all__ = ["ServerCommands"]

_LANGUAGE = re.compile(r"(?:\*|[A-Za-z]{1,8})(?:-(?:\*|[A-Za-z0-9]{1,8}))*")


class ServerCommands(ClientCore):
    """The commands about the connection and the server."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What the server offers, in upper case; empty if it is not known yet."""
        return self._session.capabilities or frozenset()

    @property
    def enabled(self) -> frozenset[str]:
        """The extensions that were enabled, in upper case."""
        return frozenset(self._session.enabled)

    @at_once
    async def capability(self) -> frozenset[str]:
        """CAPABILITY: ask what the server offers.

        :raises CommandRefused: the server refuses it.
        """
        await self._send(Command("CAPABILITY", [b"CAPABILITY"]))
        return self.capabilities

    @at_once
    async def enable(self, *extensions: str) -> frozenset[str]:
        """ENABLE extensions (RFC 5161), such as ``QRESYNC`` or ``UTF8=ACCEPT``; before `select`.

        What the server does not offer is left out.

        :returns: all that are enabled now.
        :raises CommandRefused: the server refuses it.
        """
        await self._knows()
        names = [name.upper() for name in extensions]
        for name in names:
            check_type("extension", name, str, "a str")
            if not name.isascii() or not name.replace("=", "").replace("-", "").replace("/", "").isalnum():
                raise ValueError(f"extension must be a name such as 'QRESYNC', not {name!r}")
        wanted = [name for name in names if self._offers(name) and name not in self._session.enabled]
        if wanted and self._session.has("ENABLE", "IMAP4REV2"):
            await self._send(Command("ENABLE", [f"ENABLE {' '.join(wanted)}".encode("ascii")], alone=True))
        return self.enabled

    def _offers(self, extension: str) -> bool:
        has = self._session.has
        implied = {"CONDSTORE": "QRESYNC", "UTF8=ACCEPT": "UTF8=ONLY"}  # RFC 7162 3.2.3, RFC 6855 6
        return has(extension, implied.get(extension, extension))

    @at_once
    async def id(self, **fields: str) -> Mapping[str, str]:
        """ID: tell the server about this program, and ask about the server (RFC 2971).

        :param fields: such as ``name`` and ``version``; none to tell nothing.
        :returns: what the server tells, by name in lower case; nothing if it has no ID.
        """
        await self._knows()
        if not self._session.has("ID"):
            return {}
        pieces: list[Piece] = [b"ID NIL"]
        if fields:
            pieces = [b"ID ("]
            for name, value in fields.items():
                pieces += [string_piece(name), b" ", string_piece(value), b" "]
            pieces[-1] = b")"
        told: dict[str, str] = {}
        for data in await self._ask("ID", pieces, "ID"):
            data = data._replace(text=data.text.replace(b'", "', b'" "'))  # some servers write commas
            for value in values_of(data, self._session.limits):
                if isinstance(value, list):
                    pairs = zip(value[::2], value[1::2], strict=False)
                    told.update((text_of(name).lower(), text_of(text)) for name, text in pairs)
        return told

    @at_once
    async def language(self, *languages: str) -> Sequence[str]:
        """LANGUAGE: choose the language of the server's texts (RFC 5255 3).

        :param languages: such as ``de`` or ``fr-CA``, the most wanted one first; ``default`` for the server's
            own.  If there are none, nothing is chosen.
        :returns: the language that was chosen, or those that there are.
        :raises NotOffered: the server speaks one language only.
        :raises CommandRefused: the server speaks none of these.
        """
        for each in languages:
            check_type("language", each, str, "a str such as 'de'")
            if not _LANGUAGE.fullmatch(each):
                raise wrong_value("language", each, "a language such as 'de'")
        await self._needs("LANGUAGE")
        pieces = [" ".join(["LANGUAGE", *languages]).encode("ascii")]
        told: list[str] = []
        for data in await self._ask("LANGUAGE", pieces, "LANGUAGE"):
            for value in values_of(data, self._session.limits):
                told += map(text_of, value if isinstance(value, list) else [value])
        return tuple(told)

    @at_once
    async def noop(self) -> None:
        """NOOP: let the server tell what is new.  :raises CommandRefused: the server refuses it."""
        await self._send(Command("NOOP", [b"NOOP"]))

    def compress(self) -> Deferred[None]:
        """COMPRESS: send and receive compressed data from now on (RFC 4978).

        :raises NotOffered: the server does not offer it.
        :raises CommandRefused: the server refuses it, perhaps because TLS compresses already.
        """
        return self._session.run(self._compress)

    async def _compress(self) -> None:
        session = self._session
        await self._learn_within_turn()
        if not session.has("COMPRESS=DEFLATE"):
            raise not_offered("COMPRESS=DEFLATE")
        await self._within_turn(Command("COMPRESS", [b"COMPRESS DEFLATE"]))
        session.connection.begin_compression(session.wire.take_pending())
