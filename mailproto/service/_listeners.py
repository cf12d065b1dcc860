"""What the server can listen for, and where it does unless it is told otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["LISTENERS", "Listener", "default_endpoints"]


@dataclass(frozen=True, slots=True)
class Listener:
    """One kind of listener.

    :ivar name: also of the option, and of the setting in ``listen``.
    :ivar protocol: which factory serves it: those with TLS share one with those without.
    :ivar port: of the default endpoint, on 127.0.0.1; None: listens only when asked to.
    :ivar tls: TLS from the first octet (RFC 8314 3).
    """

    name: str
    protocol: str
    port: int | None
    tls: bool = False


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
    """What is listened on when nothing is set."""
    return {
        listener.name: [f"tcp:{listener.port}:interface=127.0.0.1"]
        for listener in LISTENERS.values()
        if listener.port is not None
    }
