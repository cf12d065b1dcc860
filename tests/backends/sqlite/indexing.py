"""Waiting for the search index."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.task import deferLater

from mailproto.model import IndexState

reactor: Any = installed

PATIENCE = 20.0
"""Seconds until a test gives up."""


async def all_indexed(store: Any) -> IndexState:
    """Wait until everything is indexed."""
    end = reactor.seconds() + PATIENCE
    while True:
        state: IndexState = await store.index_state()
        if state.indexed == state.messages:
            return state
        assert reactor.seconds() < end, state
        await deferLater(reactor, 0.005)
