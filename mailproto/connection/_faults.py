"""What a client is told of a failed command: the error itself, or that the server is at fault."""

from __future__ import annotations

from twisted.python.failure import Failure

from mailproto._arguments import check_refusal
from mailproto.errors import MailError, Unavailable

__all__ = ["answer_to"]


class ServerFault(Unavailable):
    """An error that no contract has: a fault of ours, or of a backend (RFC 5530 SERVERBUG)."""

    imap = "SERVERBUG"


def answer_to(failure: Failure) -> tuple[MailError, Failure | None]:
    """The error with which a failed handler is answered, and the fault to be logged with its traceback."""
    error = failure.value
    if isinstance(error, MailError):
        try:
            check_refusal(error.code, error.enhanced, error.text)
        except (TypeError, ValueError):  # an application's own class set them after it was made
            failure = Failure()
        else:
            return error, None
    detail = f"{type(failure.value).__name__}: see the traceback in the log"
    return ServerFault(detail=detail), failure
