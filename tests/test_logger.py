"""The namespaces of log messages."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from twisted.internet.task import Clock
from twisted.logger import Logger, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

import mailproto
from mailproto.delivery import FunctionDelivery
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.server import SMTPServer
from mailproto.testing import Dialogue


def classes() -> Iterator[type]:
    """All classes of the package."""
    for found in pkgutil.walk_packages(mailproto.__path__, "mailproto."):
        module = importlib.import_module(found.name)
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == found.name:
                yield value


class NamespaceTests(SynchronousTestCase):
    def test_a_derived_class_keeps_it(self) -> None:
        """Of each class here that has a logger."""
        checked = 0
        for base in classes():
            for name, value in vars(base).items():
                if isinstance(value, Logger):
                    checked += 1
                    derived = type("Derived", (base,), {"__module__": "elsewhere"})
                    namespace = getattr(derived, name).namespace
                    self.assertEqual(namespace, f"{base.__module__}.{base.__name__}")
        self.assertGreater(checked, 15)

    def test_the_class_that_is_derived_from_names_it(self) -> None:
        """Not the one that has the logger."""

        class Mine(SMTPServer):
            """A stranger's class."""

        self.assertEqual(Mine.log.namespace, "mailproto.smtp.server._server.SMTPServer")
        self.assertIs(Mine.log.source, Mine)

    def test_a_failure_is_found_under_the_package_s_name(self) -> None:
        class Mine(SMTPServer):
            def write_greeting(self) -> None:
                raise ZeroDivisionError

        async def take(envelope: object, content: object) -> None:
            """Take a message."""

        clock = Clock()
        factory = SMTPServerFactory(
            FunctionDelivery(take), clock=clock, hostname="mx.example", protocol_class=Mine
        )
        with capturedLogs() as events:
            Dialogue(factory, clock=clock).play("S closes")
        namespaces = {event["log_namespace"] for event in events if "log_failure" in event}
        self.assertEqual(namespaces, {"mailproto.smtp.server._server.SMTPServer"})
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
