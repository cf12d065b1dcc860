"""Limits that are no such numbers are refused when they are made."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mailproto.client import ClientTimeouts
from mailproto.connection.limits import Limits
from mailproto.imap.limits import IMAPLimits
from mailproto.imap.wire import IMAPWireLimits
from mailproto.pop3.limits import POP3Limits
from mailproto.pop3.wire import POP3WireLimits
from mailproto.smtp.limits import SMTPLimits, SMTPTimeouts
from mailproto.smtp.wire import ReplyLimits, SMTPWireLimits
from tests.arguments import assert_refused


@dataclass(frozen=True, slots=True)
class OwnLimits(SMTPLimits):
    """A program's own, with one more."""

    bounces: int = 3


class LimitsTests(SynchronousTestCase):
    def test_wrong_numbers(self) -> None:
        whole = "must be a whole number of at least"
        seconds = "must be a number of seconds"
        for kind, name, value, line in (
            (SMTPLimits, "recipients", "5", f"recipients {whole} 1, not '5'"),
            (SMTPLimits, "recipients", 0, f"recipients {whole} 1, not 0"),
            (SMTPLimits, "recipients", 5.0, f"recipients {whole} 1, not 5.0"),
            (SMTPLimits, "errors", -1, f"errors {whole} 0, not -1"),
            (SMTPLimits, "memory", True, f"memory {whole} 0, not True"),
            (SMTPLimits, "memory", None, f"memory {whole} 0, not None"),
            (SMTPLimits, "connections", "many", f"connections {whole} 0, not 'many'"),
            (SMTPLimits, "delivery", 0, f"delivery {seconds} above 0, not 0"),
            (SMTPLimits, "delivery", math.inf, f"delivery {seconds} above 0, not inf"),
            (SMTPLimits, "rate_period", 0, f"rate_period {seconds} above 0, not 0"),
            (SMTPLimits, "greeting_wait", -1, f"greeting_wait {seconds} of at least 0, not -1"),
            (SMTPLimits, "greeting_wait", "2", f"greeting_wait {seconds} of at least 0, not '2'"),
            (SMTPLimits, "wire", {}, "wire must be of the class SMTPWireLimits, not a dict"),
            (
                SMTPLimits,
                "wire",
                IMAPWireLimits(),
                "wire must be of the class SMTPWireLimits, not IMAPWire...",
            ),
            (OwnLimits, "bounces", "3", f"bounces {whole} 0, not '3'"),
            (Limits, "idle", math.nan, f"idle {seconds} above 0, not nan"),
            (Limits, "handshake", "30", f"handshake {seconds} above 0, not '30'"),
            (Limits, "connections_per_peer", 1.5, f"connections_per_peer {whole} 0, not 1.5"),
            (POP3Limits, "failed_logins", "3", f"failed_logins {whole} 0, not '3'"),
            (IMAPLimits, "login", 0, f"login {seconds} above 0, not 0"),
            (IMAPLimits, "before_login", None, "before_login must be of the class IMAPWireLimits, not None"),
            (SMTPWireLimits, "path", 0, f"path {whole} 1, not 0"),
            (POP3WireLimits, "line", "255", f"line {whole} 1, not '255'"),
            (IMAPWireLimits, "nesting", -1, f"nesting {whole} 0, not -1"),
            (ReplyLimits, "lines", None, f"lines {whole} 1, not None"),
            (ClientTimeouts, "greeting", "5 minutes", f"greeting {seconds} of at least 0, not '5 minutes'"),
            (SMTPTimeouts, "final", -1, f"final {seconds} of at least 0, not -1"),
            (SMTPTimeouts, "connect", math.inf, f"connect {seconds} of at least 0, not inf"),
        ):
            with self.subTest(kind=kind, name=name, value=value):
                self.refused(line, kind, **{name: value})
                self.refused(line, replace, kind(), **{name: value})

    def test_right_numbers(self) -> None:
        limits = OwnLimits(
            connections=0, greeting_wait=None, connections_per_peer=None, idle=0.5, close_timeout=0
        )
        self.assertEqual((limits.connections, limits.idle), (0, 0.5))
        self.assertIsNone(replace(limits, wire=SMTPWireLimits(path=300)).greeting_wait)

    def refused(self, line: str, call: Any, /, *arguments: Any, **named: Any) -> None:
        assert_refused(self, line, call, *arguments, **named)
