"""The limits of the last server that used a data folder, for ``mailproto send``: it keeps to them, too."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from mailproto._arguments import check_seconds, check_whole
from mailproto.files import write_private
from mailproto.relay.limits import Schedule
from mailproto.service._settings import DEFAULT_MAX_MESSAGE_SIZE

__all__ = ["SendLimits", "remember_limits", "remembered_limits"]

_LIMITS = "send-limits"
"""The file in the data folder, in JSON."""


@dataclass(frozen=True, slots=True)
class SendLimits:
    """What a message may be.

    :ivar lifetime: seconds for which it is tried.
    :ivar delay_notice: seconds after which its sender is told that it is late; 0 for never.
    :ivar max_message_size: octets.
    """

    lifetime: float = Schedule().lifetime
    delay_notice: float = Schedule().delay_notice
    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE

    def __post_init__(self) -> None:
        check_seconds("lifetime", self.lifetime, above_0=True)
        check_seconds("delay_notice", self.delay_notice)
        check_whole("max_message_size", self.max_message_size, 1)


def remember_limits(folder: Path, limits: SendLimits) -> None:
    """Write the file, if it is not the same.

    :raises OSError:
    """
    octets = json.dumps(asdict(limits)).encode()
    try:
        if (folder / _LIMITS).read_bytes() == octets:
            return
    except OSError:  # such as that it is the first start
        pass
    write_private(folder / _LIMITS, octets)


def remembered_limits(folder: Path) -> SendLimits:
    """What the file says, or the defaults.

    :raises OSError: the file exists, but cannot be read.
    :raises ValueError: it is not one that a server has written.
    """
    try:
        return SendLimits(**json.loads((folder / _LIMITS).read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return SendLimits()
    except (TypeError, ValueError) as error:
        text = f"{folder / _LIMITS}: {error}: start the server again, which writes it"
        raise ValueError(text) from None
