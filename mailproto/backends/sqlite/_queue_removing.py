"""Removes messages from the queue, in transactions of the writer."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mailproto.backends.sqlite._queue_tally import rows_of
from mailproto.backends.sqlite._transactions import Transaction

__all__ = ["remove_messages"]


def remove_messages(
    transaction: Transaction, ids: Sequence[int], unused: Sequence[tuple[int, str | None]] | None = None
) -> None:
    """Remove messages with their recipients, and the bodies that no mailbox has.

    The caller counts what is removed.

    :param unused: these bodies with their files, if they are known.
    """
    if not ids:
        return
    values = (json.dumps(ids),)
    for table, column in (("queued_recipients", "message"), ("queued", "id")):
        transaction.execute(
            f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))",  # noqa: S608
            values,
        )
    if unused is None:
        unused = [
            (id_, file)
            for id_, file in rows_of(
                transaction,
                "SELECT json_group_array(json_array(id, file)) FROM bodies"
                " WHERE id IN (SELECT value FROM json_each(?)) AND refs <= 1",
                values,
            )
        ]
    if len(unused) < len(ids):
        transaction.execute(
            "UPDATE bodies SET refs = refs - 1 WHERE id IN (SELECT value FROM json_each(?)) AND refs > 1",
            values,
        )
    if unused:
        # At once, and not as `remove_unused_bodies` does: they are not more than the messages here.
        values = (json.dumps([id_ for id_, _ in unused]),)
        for table, column in (("contents", "body"), ("bodies", "id")):
            transaction.execute(
                f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))",  # noqa: S608
                values,
            )
        transaction.unused.extend(file for _, file in unused if file is not None)
