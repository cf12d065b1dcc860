"""Keeps Python's garbage collector from looking at what a server has for good."""

from __future__ import annotations

import gc

__all__ = ["leave_out_what_stays"]


_THRESHOLDS = 10_000, 20, 20
"""Instead of 700, 10 and 10: objects made until a collection, and collections until a longer one."""


def leave_out_what_stays() -> None:
    """Let full collections skip all objects that exist now: modules, classes, the parts of the server.

    A full collection holds the reactor, and looks at every object: some 65,000 after the start, which takes
    20 to 40 ms, and then 7 microseconds for each connection.  The first never become garbage as long as the
    process lives.

    The rest is looked at more seldom, too: a hundred sessions with large mailboxes made one full collection
    after another, 100 ms each.

    Only a server with a process of its own calls this, because the collector belongs to the application.  If
    the collector is turned off, nothing is changed.
    """
    if gc.isenabled():
        gc.collect()  # garbage that is left out would stay for ever
        gc.freeze()
        gc.set_threshold(*_THRESHOLDS)
