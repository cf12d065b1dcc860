"""OpenSMTPD."""

from __future__ import annotations

from pathlib import Path

from tests.interop.daemons._daemon import Daemon
from tests.interop.daemons._namespace import in_namespace, unpacked
from tests.interop.sink import certificate, free_port

__all__ = ["opensmtpd"]

_OPENSMTPD = """
pki "opensmtpd.test" cert "{certificate}"
pki "opensmtpd.test" key "{key}"
listen on 127.0.0.1 port {port} tls pki "opensmtpd.test" hostname "opensmtpd.test" mask-src
action "plain" relay host smtp+notls://127.0.0.1:{sink}
action "tls" relay host smtp+tls://127.0.0.1:{sink} tls no-verify
match from any for rcpt-to "no@plain.test" reject
match from any for domain {{ "plain.test", "*.plain.test" }} action "plain"
match from any for domain "tls.test" action "tls"
"""


def opensmtpd() -> Daemon:
    """OpenSMTPD, a new one: between two connections to one server it waits for seconds."""
    program = unpacked("smtpd", "opensmtpd")
    pem, key = certificate()

    def config(folder: Path, port: int) -> str:
        return _OPENSMTPD.format(port=port, sink=free_port(), certificate=pem, key=key)

    return in_namespace(config, "log", program, "-d", "-f", "{folder}/config")
