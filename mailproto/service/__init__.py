"""A whole mail server, made of the framework's public parts.

``twistd mailproto`` runs `make_service`; a program of its own may do the same with
`Settings` and `MailService`.
"""

from mailproto.service._limits import ServiceLimits
from mailproto.service._maker import MailService, make_service
from mailproto.service._options import Options, Settings

__all__ = ["MailService", "Options", "ServiceLimits", "Settings", "makeService", "make_service"]

makeService = make_service
"""The name that twistd looks for."""
