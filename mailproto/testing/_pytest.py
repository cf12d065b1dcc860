"""The pytest plugin: fixtures that start servers in a thread.

pytest imports this module when it starts, so it imports nothing else until a fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mailproto.testing._inbox import Inbox
    from mailproto.testing._running import RunningServer


@pytest.fixture
def mailproto_server() -> Iterator[Callable[..., RunningServer]]:
    """Start servers on free ports: ``server = mailproto_server(SMTPServerFactory(delivery))``.

    The arguments are those of `mailproto.testing.running_server`.  The servers run in a thread, so the test
    may block, and are stopped after it.
    """
    from mailproto.testing import running_server

    running: list[RunningServer] = []

    def start(*servers: Any, **settings: Any) -> RunningServer:
        server = running_server(*servers, **settings).start()
        running.append(server)
        return server

    yield start
    for server in reversed(running):
        server.stop()


@pytest.fixture
def mailproto_inbox(mailproto_server: Callable[..., RunningServer]) -> Inbox:
    """An SMTP server that takes all mail: with ``host``, ``port``, ``address``, ``messages`` and
    ``wait_for_message()``."""
    from mailproto.smtp import SMTPServerFactory
    from mailproto.testing._inbox import Inbox

    inbox = Inbox()
    inbox.server = mailproto_server(
        lambda reactor: SMTPServerFactory(inbox, clock=reactor, hostname="localhost")
    )
    return inbox
