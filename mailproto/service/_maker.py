"""Makes the service for ``twistd mailproto``, ``twist mailproto`` and ``.tac`` files."""

from __future__ import annotations

import sys

from mailproto._arguments import check_type
from mailproto.observing import ObserverOrMore
from mailproto.service._log import log_with
from mailproto.service._mail_service import MailService
from mailproto.service._options import Options, option_of
from mailproto.service._reasons import file_error
from mailproto.service._reporting import ProcessReporter
from mailproto.service._settings import Settings

__all__ = ["make_service"]


def make_service(options: Options | Settings, *, observer: ObserverOrMore | None = None) -> MailService:
    """A server for a process of its own.

    If it cannot start, one line on standard error says why, and the process ends with status 1. SIGHUP
    calls `MailService.reload`.

    :param observer: one or more observers of all its servers (`mailproto.observing`).
    """
    from twisted.internet import reactor  # imported late, because the command line may choose one

    check_type("options", options, (Options, Settings), "a Settings, or the Options of a command line")
    if isinstance(options, Settings):
        settings, twistd, reporter = options, None, ProcessReporter(reactor)
    else:
        settings, twistd, reporter = options.settings, options.parent, ProcessReporter(reactor, option_of)
    service = MailService(settings, reactor, reporter=reporter, hangup=True, observer=observer)
    reporter.daemon.is_wanted = lambda: service.parent is not None

    def joined(application: object) -> None:
        try:
            log_with(application, reactor, twistd, settings.log.level)
        except OSError as error:
            sys.exit(f"mailproto: --logfile: {file_error(error, 'twistd.log')}")

    service.joined = joined
    return service
