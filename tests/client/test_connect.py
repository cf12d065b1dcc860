"""What a connection leaves behind when it is over: nothing."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase

from mailproto.client._routes import connect


class Endpoint:
    """Makes the protocol, as an endpoint does when it is connected."""

    def connect(self, factory: Any) -> Deferred[Any]:
        factory.doStart()
        factory.doStop()
        return succeed(factory.buildProtocol(None))


class ConnectTests(SynchronousTestCase):
    def test_a_protocol_is_freed(self) -> None:
        protocol = Protocol()
        self.assertIs(self.successResultOf(connect(Endpoint(), protocol)), protocol)  # type: ignore[arg-type]
        left = weakref.ref(protocol)
        del protocol
        gc.collect()
        self.assertIsNone(left())
