"""Groups the queue by its next hops anew where the routes have changed since the last start."""

from __future__ import annotations

import json
from pathlib import Path

from mailproto._logger import PackageLogger
from mailproto.awaiting import settle
from mailproto.files import write_private
from mailproto.interfaces import IQueue
from mailproto.relay import Routes
from mailproto.service._settings import Settings

__all__ = ["Grouping"]

_FILE = "queue-routes"
"""In the data folder: the routes by which the queue was grouped last."""


class Grouping:
    """Remembers the routes, because a queue is read from its beginning to its end to be grouped anew.

    :param folder: the data folder.
    """

    log = PackageLogger()

    def __init__(self, folder: Path, settings: Settings, routes: Routes) -> None:
        self._file = folder / _FILE
        self._routes = routes
        hops = {domain: str(hop) for domain, hop in settings.relay.routes.items()}
        self._text = json.dumps([settings.store, str(routes.default), hops], sort_keys=True).encode()

    async def group(self, queue: IQueue) -> None:
        """Regroup the queue if that is necessary."""
        try:
            if self._file.read_bytes() == self._text:
                return
        except OSError:  # such as that it is the first start
            pass
        await settle(queue.regroup(self._routes.key))
        try:
            write_private(self._file, self._text)
        except OSError as error:  # then it is done again
            self.log.warn("{file} cannot be written: {error}", file=str(self._file), error=str(error))
