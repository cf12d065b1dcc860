"""Which of the ESMTP parameters that a message was given are passed on to a server."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from mailproto.model import Outcome, Parameters
from mailproto.smtp.wire import Capabilities, UnsafeArgument

__all__ = ["MAIL_PARAMETERS", "RCPT_PARAMETERS", "Unsendable", "kept"]

_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-]*+")


class Unsendable(Exception):
    """The server cannot take this message, or not for this recipient; the outcome says why."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


_Keep: TypeAlias = Callable[[str | None, Capabilities, bool], bool]
"""Given (value, capabilities, whether the server is verified)."""


def _where_offered(keyword: str) -> _Keep:
    """A parameter that is a wish: without the extension, mail goes without it."""

    def keep(value: str | None, capabilities: Capabilities, is_verified: bool) -> bool:
        return keyword in capabilities

    return keep


def _needed(keyword: str) -> _Keep:
    """A parameter without which the message must not be sent."""

    def keep(value: str | None, capabilities: Capabilities, is_verified: bool) -> bool:
        if keyword not in capabilities:
            raise Unsendable(Outcome(555, "5.5.4", f"The server lacks {keyword}, which this message needs"))
        return True

    return keep


def _require_tls(value: str | None, capabilities: Capabilities, is_verified: bool) -> bool:
    """Not encryption alone: whoever stands between could offer that too (RFC 8689 4.2.1)."""
    if not is_verified:
        raise Unsendable(Outcome(550, "5.7.30", "REQUIRETLS: the server's certificate is not verified"))
    if "REQUIRETLS" not in capabilities:
        raise Unsendable(Outcome(550, "5.7.30", "The server lacks REQUIRETLS, which this message needs"))
    return True


def _deliver_by(value: str | None, capabilities: Capabilities, is_verified: bool) -> bool:
    """BY in the mode R must be honoured; in the mode N it may be dropped (RFC 2852 4.1.4.2)."""
    if "DELIVERBY" in capabilities:
        return True
    if ";R" in (value or "").upper():
        raise Unsendable(Outcome(555, "5.5.4", "The server lacks DELIVERBY, which this message needs"))
    return False


def _never(value: str | None, capabilities: Capabilities, is_verified: bool) -> bool:
    return False


MAIL_PARAMETERS: Final[Mapping[str, _Keep]] = {
    "SIZE": _never,
    "BODY": _never,
    "SMTPUTF8": _never,
    "AUTH": _never,
    "RET": _where_offered("DSN"),
    "ENVID": _where_offered("DSN"),
    "MT-PRIORITY": _where_offered("MT-PRIORITY"),
    "BY": _deliver_by,
    "HOLDFOR": _needed("FUTURERELEASE"),
    "HOLDUNTIL": _needed("FUTURERELEASE"),
    "REQUIRETLS": _require_tls,
}
"""Whether a parameter is passed on; those chosen by `plan` itself never are."""

RCPT_PARAMETERS: Final[Mapping[str, _Keep]] = {
    "NOTIFY": _where_offered("DSN"),
    "ORCPT": _where_offered("DSN"),
    "RRVS": _where_offered("RRVS"),
}


def kept(
    parameters: Parameters,
    table: Mapping[str, _Keep],
    capabilities: Capabilities,
    *,
    is_verified: bool = False,
) -> dict[str, str | None]:
    """Those that are passed on.

    :raises Unsendable: there is one without which the message must not be sent.
    :raises UnsafeArgument: a keyword is none.
    """
    passed: dict[str, str | None] = {}
    for keyword, value in parameters.items():
        if not _KEYWORD.fullmatch(keyword):
            raise UnsafeArgument("not a parameter")
        if (table.get(keyword) or _needed(keyword))(value, capabilities, is_verified):
            passed[keyword] = value
    return passed
