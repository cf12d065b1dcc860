"""The forms of a message: as other servers get it, and as mailboxes here keep it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, NamedTuple, TypeAlias

from mailproto._logger import PackageLogger
from mailproto.content import Content
from mailproto.dkim import KeyFolder, author_domain, signatures
from mailproto.errors import Refused, storage_failure
from mailproto.model import Envelope, Parameters
from mailproto.relay._conversion import NotConvertible, in_lines, in_seven_bits, is_binary
from mailproto.relay._places import Place

__all__ = ["Forming", "Forms", "InThread"]

InThread: TypeAlias = Callable[..., Awaitable[Any]]
"""Calls a function in a thread."""


class Forms(NamedTuple):
    """A message as other servers get it, and as mailboxes here keep it: one, unless it is binary."""

    sent: Content
    kept: Content

    def prepended(self, field: bytes) -> Forms:
        """The same with another field."""
        sent = self.sent.prepend(field)
        return Forms(sent, sent if self.kept is self.sent else self.kept.prepend(field))


class Forming:
    """Converts binary messages for mailboxes (RFC 3030), and signs what enters the queue (DKIM, RFC 6376).

    :param keys: of the domains that sign; None for no signatures.
    :param folder: for messages while they are converted; None for the system's.
    """

    log = PackageLogger()

    def __init__(self, keys: KeyFolder | None, in_thread: InThread, folder: str | None) -> None:
        self._keys = keys
        self._in_thread = in_thread
        self._folder = folder

    async def forms(self, envelope: Envelope, content: Content, places: Sequence[Place]) -> Forms:
        """The forms of a message.

        :raises MailError: it is binary and for a mailbox here, and cannot be converted.
        """
        if not is_binary(envelope.parameters) or not any(isinstance(place, tuple) for place in places):
            return Forms(content, content)
        try:
            return Forms(content, await self._in_thread(in_lines, content, self._folder))
        except NotConvertible as error:
            raise Refused(554, "5.6.3", f"Mailboxes here cannot keep this binary message: {error}") from None
        except OSError as error:
            raise storage_failure(error, "convert a message") from error

    @property
    def has_keys(self) -> bool:
        """Whether any domain may have keys; without them, a thread would be much of the work."""
        return self._keys is not None and not self._keys.is_missing

    async def signed(
        self, parameters: Parameters, forms: Forms, allowed: Collection[str] | None = None
    ) -> Forms:
        """The message with signatures, if its author's domain has keys; without them if a key is broken.

        Servers without 8BITMIME convert what they pass on, which breaks signatures.  So it is converted
        before it is signed (RFC 6376 5.3), unless it is binary, or has no 7-bit form.

        :param parameters: those of the envelope.
        :param allowed: the domains that may sign; None for all.
        """
        if not self.has_keys:
            return forms
        sent = await self._signed(parameters, forms.sent, allowed)
        if forms.kept is forms.sent:
            return Forms(sent, sent)
        return Forms(sent, await self._signed(parameters, forms.kept, allowed))

    async def _signed(
        self, parameters: Parameters, content: Content, allowed: Collection[str] | None
    ) -> Content:
        def work() -> Content:
            domain = author_domain(content)
            if not domain or (allowed is not None and domain not in allowed):
                return content
            keys = self._keys.find(domain) if self._keys is not None else ()
            if not keys:
                return content
            form = content if is_binary(parameters) else self._seven_bit(parameters, content)
            return form.prepend(signatures(form, domain, keys))

        try:
            signed: Content = await self._in_thread(work)
        except (OSError, ValueError) as error:
            self.log.error("A message is not signed: {error}", error=error)
            return content
        return signed

    def _seven_bit(self, parameters: Parameters, content: Content) -> Content:
        try:
            return in_seven_bits(content, self._folder, is_international="SMTPUTF8" in parameters)
        except NotConvertible:
            return content
