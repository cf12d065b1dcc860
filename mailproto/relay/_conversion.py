"""What is done with a message that the next server, or a mailbox, cannot take (RFC 6152 3, RFC 3030 3)."""

from __future__ import annotations

from typing import cast

from twisted.internet.interfaces import IReactorThreads
from twisted.internet.threads import deferToThreadPool

from mailproto._logger import PackageLogger
from mailproto.content import Content, Octets
from mailproto.dkim import KeyFolder, signed_again
from mailproto.message import NotConvertible, Steps, finish, scan_steps, seven_bit_form_steps
from mailproto.model import Parameters
from mailproto.relay._header_form import ascii_header
from mailproto.relay._turns import Turn
from mailproto.smtp.wire import Capabilities
from mailproto.spool import SpoolFile
from mailproto.typing import ReactorTime

__all__ = [
    "IN_MEMORY",
    "Converter",
    "NotConvertible",
    "in_lines",
    "in_seven_bits",
    "is_binary",
    "may_need_conversion",
]

IN_MEMORY = 1 << 18
"""Octets of a converted message that are kept in memory; the rest is in a file."""


def is_binary(parameters: Parameters) -> bool:
    """Whether the sender has declared a message to be binary."""
    return bool(parameters) and (parameters.get("BODY") or "").upper() == "BINARYMIME"


def may_need_conversion(capabilities: Capabilities, parameters: Parameters) -> bool:
    """Whether the server does not take what the message may have."""
    if is_binary(parameters):
        return not ("BINARYMIME" in capabilities and "CHUNKING" in capabilities)
    return "8BITMIME" not in capabilities


def in_lines(content: Content, folder: str | None) -> Content:
    """A binary message as mailboxes can have it: in lines that end in CRLF, and without NULs.

    IMAP and POP3 send nothing else.  What is text in lines already stays as it is, with octets above 127.
    This blocks: call it in a thread.

    :param folder: as for `Converter`.
    :raises NotConvertible: there is no such form.
    :raises OSError, MailError: the message cannot be read, or the file cannot be written.
    """
    form = _Form(folder)
    try:
        finish(_to_lines(content, form))
        return content if form.content is None else form.content
    finally:
        form.close()


def in_seven_bits(content: Content, folder: str | None, *, is_international: bool) -> Content:
    """A message in lines with 7-bit octets only; the same one if it has no others.

    This blocks: call it in a thread.

    :param folder: as for `Converter`.
    :param is_international: as for `Converter.convert`.
    :raises NotConvertible: there is no such form.
    :raises OSError, MailError: the message cannot be read, or the file cannot be written.
    """
    form = _Form(folder)
    try:
        finish(_convert(content, form, is_binary=False, is_international=is_international))
        return content if form.content is None else form.content
    finally:
        form.close()


def _to_lines(content: Content, form: _Form) -> Steps[None]:
    ends = content.count(b"\r")
    if ends == content.count(b"\n") == _line_ends(content) and b"\0" not in content:
        return
    index = yield from scan_steps(content)
    yield from seven_bit_form_steps(content, index, form.write, keeps_8bit=True)
    form.finish()


def _line_ends(content: Content) -> int:
    number, last = 0, b""
    for piece in content.chunks():
        number += (last + piece).count(b"\r\n")
        last = b"\r" if piece.endswith(b"\r") else b""
    return number


class Converter:
    """Makes the forms of messages that servers without 8BITMIME or BINARYMIME take.

    :param folder: where the file is made, if a message is long; None for the system's.
    :param keys: the keys of DKIM, or None.
    """

    log = PackageLogger()

    def __init__(self, reactor: ReactorTime, folder: str | None, keys: KeyFolder | None) -> None:
        self._reactor = reactor
        self._folder = folder
        self._keys = keys

    async def convert(
        self, content: Octets, *, is_binary: bool, is_international: bool, original: Octets
    ) -> Content | None:
        """The message with 7-bit octets only; None if it has no others.

        It is done in many turns of the reactor.  Signatures of DKIM do not fit any more, but without
        conversion nobody would get the message; those of this server are made again.

        :param is_binary: whether bare CRs and LFs count as octets that have to be encoded.
        :param is_international: whether the sender has declared its headers so (SMTPUTF8): they must not be
            changed then (RFC 6531 3.2).
        :param original: the message as it was signed.
        :raises NotConvertible: there is no such form.
        :raises OSError, MailError: the message cannot be read, or the file cannot be written.
        """
        form = _Form(self._folder)
        try:
            await _in_turns(self._reactor, _convert(Content.of(content), form, is_binary, is_international))
            changed = content if form.content is None else form.content
            if changed is original:
                return None
            return await self.sign_again(original, changed)
        finally:
            form.close()

    async def sign_again(self, original: Octets, changed: Octets) -> Content:
        """The changed message, with new signatures in place of this server's."""
        before, after, reactor, keys = Content.of(original), Content.of(changed), self._reactor, self._keys
        if keys is None or keys.is_missing:
            return after
        try:
            if IReactorThreads.providedBy(reactor):
                with_threads = cast("IReactorThreads", reactor)
                pool = with_threads.getThreadPool()
                return await deferToThreadPool(with_threads, pool, signed_again, before, after, keys)
            return signed_again(before, after, keys)
        except ValueError as error:  # of a key; the message can be read, because it was converted
            self.log.error("A converted message is not signed again: {error}", error=error)
            return after


def _convert(content: Content, form: _Form, is_binary: bool, is_international: bool) -> Steps[None]:
    if not is_binary:
        for piece in content.chunks():
            if not piece.isascii():
                break
            yield
        else:
            return
    index = yield from scan_steps(content)
    encode = None if is_international else ascii_header
    yield from seven_bit_form_steps(content, index, form.write, ascii_header=encode)
    form.finish()


class _Form:
    """Takes the converted message.

    :ivar content: None before it is finished.
    """

    def __init__(self, folder: str | None) -> None:
        self._folder = folder
        self._pieces: list[bytes] = []
        self._size = 0
        self._file: SpoolFile | None = None
        self.content: Content | None = None

    def write(self, octets: bytes) -> None:
        if self._file is None and (not self._pieces or self._size + len(octets) <= IN_MEMORY):
            self._pieces.append(octets)  # the first piece is the header
            self._size += len(octets)
            return
        if self._file is None:
            self._file = SpoolFile(self._folder)
        self._file.write(octets)

    def finish(self) -> None:
        begun = b"".join(self._pieces)
        self.content = Content(begun) if self._file is None else self._file.content(begun)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


async def _in_turns(clock: ReactorTime, steps: Steps[None]) -> None:
    turn = Turn(clock)
    for _ in steps:
        if turn.is_over:
            await turn.next()
