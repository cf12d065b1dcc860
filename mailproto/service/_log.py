"""The log of ``twistd mailproto``: as twistd writes it, without debug events, and quick for the mail log."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping
from typing import IO, Any

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LegacyLogObserverWrapper,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEventAsClassicLogText,
    formatTime,
)
from twisted.python.components import Componentized
from twisted.python.logfile import LogFile

from mailproto import maillog

__all__ = ["LOG_FILE_SIZE", "log_level", "log_with", "text_observer"]

LOG_FILE_SIZE = 100_000_000
"""Octets after which a log file is rotated; at twistd's 1,000,000 a busy server would do so each second,
and rename all older files each time."""


def log_level(name: str) -> str:
    """:raises ValueError: for what is no level; the option's name is in it."""
    names = [level.name for level in LogLevel.iterconstants()]
    if name not in names:
        raise ValueError(f"--log-level: {', '.join(names)}, not {name!r}")
    return name


def log_with(application: object, twistd: object, level: str) -> None:
    """Have ``application`` log as twistd would, but for events below ``level``, and to larger files.

    An observer that ``--logger`` names, or that the application has, stays.

    :param twistd: its options; those of another program are none: ``twist`` has a ``--log-level`` itself.
    :raises OSError: the log file cannot be opened.
    """
    if not (isinstance(application, Componentized) and isinstance(twistd, dict) and "syslog" in twistd):
        return
    if not twistd.get("logger") and application.getComponent(ILogObserver, None) is None:
        application.setComponent(ILogObserver, _observer(twistd, LogLevel.lookupByName(level)))


def _observer(twistd: Mapping[str, Any], least: Any) -> ILogObserver:
    """What twistd itself makes of its options, but for the level and the size of files."""
    if twistd["syslog"]:
        from twisted.python.syslog import SyslogObserver  # not every system has one

        syslog = LegacyLogObserverWrapper(SyslogObserver(twistd["prefix"]).emit)  # type: ignore[arg-type]
        return FilteringLogObserver(syslog, [LogLevelFilterPredicate(least)])
    name, foreground = twistd["logfile"], twistd["nodaemon"]
    if name == "-" and not foreground:
        sys.exit("Daemons cannot log to stdout, exiting!")
    if name == "-" or (foreground and not name):
        return text_observer(sys.stdout, least)
    file = LogFile.fromFullPath(name or "twistd.log", rotateLength=LOG_FILE_SIZE)
    if not signal.getsignal(signal.SIGUSR1):
        signal.signal(signal.SIGUSR1, lambda *_: _in_reactor(file.rotate))
    return text_observer(file, least)


def _in_reactor(function: Callable[[], object]) -> None:
    from twisted.internet import reactor  # not before the command line chose one

    reactor.callFromThread(function)  # type: ignore[attr-defined]


def text_observer(file: IO[Any], least: Any = LogLevel.info) -> FileLogObserver:
    """Twisted's ``textFileLogObserver``, for events of level ``least`` and above.

    An event of the mail log costs a fifth of what it costs there: its text is ready, and so is the time
    for as long as it is the same second.
    """
    hidden = frozenset(level for level in LogLevel.iterconstants() if level < least)
    second, stamp = -1, ""

    def format_event(event: LogEvent) -> str | None:
        nonlocal second, stamp
        level = event.get("log_level", LogLevel.info)
        if level in hidden:
            return None
        if event.get("log_format") is not maillog.LINE:
            return formatEventAsClassicLogText(event)
        now = int(event["log_time"])
        if now != second:
            second, stamp = now, formatTime(now)
        return f"{stamp} [{maillog.NAMESPACE}#{level.name}] {event['line']}\n"

    return FileLogObserver(file, format_event)
