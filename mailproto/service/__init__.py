"""A whole mail server, made of the framework's public parts.

``twistd mailproto`` runs `make_service`, and a ``.tac`` file may.  A program of its own makes a
`MailService` of `Settings`, and gives it a `Reporter`, if it wants to know more than the log does.
"""

from mailproto.service._limits import ServiceLimits
from mailproto.service._mail_service import MailService
from mailproto.service._maker import make_service
from mailproto.service._options import Options
from mailproto.service._reporting import Reporter
from mailproto.service._settings import (
    AccountSettings,
    AuthSettings,
    LogSettings,
    ProxySettings,
    SettingError,
    Settings,
    SMTPSettings,
    TLSSettings,
    User,
)

__all__ = [
    "AccountSettings",
    "AuthSettings",
    "LogSettings",
    "MailService",
    "Options",
    "ProxySettings",
    "Reporter",
    "SMTPSettings",
    "ServiceLimits",
    "SettingError",
    "Settings",
    "TLSSettings",
    "User",
    "makeService",
    "make_service",
]

makeService = make_service
"""The name that twistd looks for."""
