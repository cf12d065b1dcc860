"""The kinds of listeners, and their default endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["LISTENERS", "Listener", "default_endpoints"]


@dataclass(frozen=True, slots=True)
class Listener:
    """A kind of listener.

    :ivar name: also the name of the option and of the setting in ``listen``.
    :ivar protocol: the name of the factory that serves it; listeners with and without TLS share one.
    :ivar port: the port of the default endpoint on 127.0.0.1; None if it has no default endpoint.
    :ivar tls: whether it uses TLS from the first octet (RFC 8314 3).
    """

    name: str
    protocol: str
    port: int | None
    tls: bool = False

    @property
    def takes_mail(self) -> bool:
        """Whether clients send messages to it."""
        return self.protocol in ("smtp", "submission", "lmtp")


LISTENERS: Mapping[str, Listener] = {
    listener.name: listener
    for listener in (
        Listener("smtp", "smtp", 8025),
        Listener("submission", "submission", 8587),
        Listener("lmtp", "lmtp", None),
        Listener("pop3", "pop3", 8110),
        Listener("imap", "imap", 8143),
        Listener("submissions", "submission", 8465, tls=True),
        Listener("pop3s", "pop3", 8995, tls=True),
        Listener("imaps", "imap", 8993, tls=True),
    )
}


def default_endpoints() -> dict[str, list[str]]:
    """The endpoints of a server without ``listen`` settings."""
    return {
        listener.name: [f"tcp:{listener.port}:interface=127.0.0.1"]
        for listener in LISTENERS.values()
        if listener.port is not None
    }
