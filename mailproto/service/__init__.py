"""A complete mail server, made from the framework's public parts.

``twistd mailproto`` calls `make_service`, and so may a ``.tac`` file.  Your own program makes a
`MailService` from `Settings`.  Give it a `Reporter` to learn how the start goes.
"""

from mailproto.service._limits import ServiceLimits
from mailproto.service._mail_service import MailService
from mailproto.service._maker import make_service
from mailproto.service._options import Options
from mailproto.service._relay_settings import RelaySettings
from mailproto.service._reporting import Reporter
from mailproto.service._setting_error import SettingError
from mailproto.service._settings import (
    AccountSettings,
    AuthSettings,
    LogSettings,
    POP3Settings,
    ProxySettings,
    QuotaSettings,
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
    "POP3Settings",
    "ProxySettings",
    "QuotaSettings",
    "RelaySettings",
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
"""The name under which twistd looks for it."""
