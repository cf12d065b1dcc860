"""The tables of the queue.

The rows of destinations, shares and counts are kept in the transactions that change recipients, so that
nothing that the reactor's thread reads depends on how much is in the queue.
"""

from __future__ import annotations

from mailproto.model import QueueState

__all__ = [
    "DEADLINES",
    "HELD",
    "LESSEES",
    "NOWHERE",
    "QUEUE",
    "READY",
    "STATES",
    "TIMED",
    "WAITING",
    "number_of",
]

QUEUE = """
CREATE TABLE queued (
    id INTEGER PRIMARY KEY,  -- of its body, too, which counts it in refs
    arrived REAL NOT NULL,
    expires REAL NOT NULL,
    priority INTEGER NOT NULL,
    share TEXT NOT NULL,
    skip INTEGER NOT NULL,  -- the body's first octets, which are not sent
    size INTEGER NOT NULL,  -- octets of the rest
    unfinished INTEGER NOT NULL,  -- recipients that are waiting or held; without any it is removed
    envelope TEXT NOT NULL  -- `dump_envelope`
);
CREATE TABLE queued_recipients (
    message INTEGER NOT NULL,
    number INTEGER NOT NULL,
    destination TEXT NOT NULL,
    state INTEGER NOT NULL,  -- an index in `STATES`
    phase INTEGER NOT NULL,  -- 0: it is not waiting; 1: it can be leased at time; 2: it can be leased now
    due REAL NOT NULL,
    time REAL NOT NULL,  -- due, or the end of a lease
    urgency INTEGER NOT NULL,  -- less comes first
    turn INTEGER NOT NULL,  -- less comes first; given when it becomes ready
    attempts INTEGER NOT NULL DEFAULT 0,
    attempted REAL,
    is_reported_late INTEGER NOT NULL DEFAULT 0,
    reply TEXT,  -- `dump_reply`
    token INTEGER,  -- of its lease, which may have run out
    PRIMARY KEY (message, number)
) WITHOUT ROWID;
CREATE INDEX queued_ready ON queued_recipients (destination, urgency, turn, message, number) WHERE phase = 2;
CREATE INDEX queued_timed ON queued_recipients (destination, time, message, number) WHERE phase = 1;

-- Those that nobody has settled, given back or taken over.
CREATE TABLE queue_leases (
    token INTEGER PRIMARY KEY,
    message INTEGER NOT NULL,
    leased REAL NOT NULL,
    until REAL NOT NULL,
    recipients INTEGER NOT NULL
);

-- Those with waiting recipients, and those that are paused.
CREATE TABLE queue_destinations (
    name TEXT PRIMARY KEY,
    waiting INTEGER NOT NULL,
    ready INTEGER NOT NULL,  -- those of phase 2
    since REAL NOT NULL,  -- if some are ready: since when, or when the last were leased
    wake REAL,  -- when it should be tried next: `DestinationState.due`; NULL if nothing is waiting
    virtual INTEGER NOT NULL,  -- the turn that was leased last
    top INTEGER NOT NULL,  -- the last turn that was given
    paused_until REAL NOT NULL,
    failures INTEGER NOT NULL,
    reason TEXT NOT NULL  -- as JSON
) WITHOUT ROWID;
CREATE INDEX queue_wake ON queue_destinations (wake) WHERE wake IS NOT NULL;
CREATE INDEX queue_idle ON queue_destinations (paused_until) WHERE waiting = 0;

-- The last turn of each share at each destination.
CREATE TABLE queue_shares (
    destination TEXT NOT NULL, share TEXT NOT NULL, turn INTEGER NOT NULL,
    PRIMARY KEY (destination, share)
) WITHOUT ROWID;

CREATE TABLE queue_counts (
    messages INTEGER NOT NULL,
    octets INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    held INTEGER NOT NULL,
    deferred INTEGER NOT NULL,
    token INTEGER NOT NULL,  -- of the latest lease
    revision INTEGER NOT NULL  -- grows when something may have become due earlier
);
INSERT INTO queue_counts VALUES (0, 0, 0, 0, 0, 0, 0);
"""
"""A migration."""

LESSEES = """
ALTER TABLE queue_leases ADD COLUMN lessee TEXT NOT NULL DEFAULT '';  -- the process: `Peers.name`
"""
"""Another one."""

DEADLINES = """
ALTER TABLE queued ADD COLUMN deadline REAL NOT NULL DEFAULT 0;  -- `IQueue.next_deadline`
UPDATE queued SET deadline = min(expires, arrived + 14400);
CREATE INDEX queued_deadlines ON queued (deadline);
"""
"""Another one."""

STATES = (QueueState.WAITING, QueueState.HELD, QueueState.SENT, QueueState.FAILED)
WAITING, HELD = 0, 1

NOWHERE, TIMED, READY = 0, 1, 2
"""The phases."""

number_of = {state: number for number, state in enumerate(STATES)}
