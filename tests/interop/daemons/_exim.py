"""Exim, as Debian's exim4-daemon-light has it."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

from tests.interop.daemons._daemon import PASSWORD, Daemon
from tests.interop.daemons._namespace import in_namespace, unpacked
from tests.interop.sink import certificate, free_port
from tests.tls.certificates import Pair, make_certificate, write_pair

__all__ = ["authority", "exim"]

_EXIM = """
keep_environment =
exim_path = {program}
primary_hostname = exim.test
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
smtp_accept_queue_per_connection = 0
acl_smtp_rcpt = recipient
acl_smtp_data = accept
log_file_path = {folder}/logs/%slog
log_selector = +smtp_confirmation +tls_certificate_verified
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
chunking_advertise_hosts = *
host_lookup =
tls_advertise_hosts = *
tls_certificate = {certificate}
tls_privatekey = {key}
tls_try_verify_hosts = *
tls_verify_certificates = {authority}
begin acl
recipient:
  deny recipients = no@plain.test
  deny recipients = members@plain.test
       !authenticated = *
  accept
begin routers
tls:
  driver = manualroute
  domains = tls.test
  route_list = * 127.0.0.1
  self = send
  transport = tls
lmtp:
  driver = manualroute
  domains = lmtp.test
  route_list = * 127.0.0.1
  self = send
  transport = lmtp
plain:
  driver = manualroute
  domains = plain.test : *.plain.test
  route_list = * 127.0.0.1
  self = send
  transport = plain
begin transports
plain:
  driver = smtp
  port = {sink}
  allow_localhost
  hosts_avoid_tls = *
tls:
  driver = smtp
  port = {sink}
  allow_localhost
  hosts_require_tls = *
  tls_verify_certificates = {certificate}
  tls_verify_hosts = *
  tls_verify_cert_hostnames =
lmtp:
  driver = smtp
  protocol = lmtp
  port = {sink}
  allow_localhost
  hosts_avoid_tls = *
begin retry
* * F,1h,1s
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${{if and{{{{eq{{$auth2}}{{alice}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{{{eq{{$auth1}}{{alice}}}}{{eq{{$auth2}}{{{password}}}}}}}}}
cram_md5:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{alice}}{{{password}}}fail}}
external:
  driver = external
  public_name = EXTERNAL
  server_advertise_condition = $tls_in_certificate_verified
  server_param2 = ${{certextract{{subj_altname,mail,>:}}{{$tls_in_peercert}}}}
  server_condition = ${{if forany{{$auth2}}{{eq{{$item}}{{$auth1}}}}}}
"""


@cache
def authority() -> Pair:
    """Whose certificates for clients Exim trusts."""
    return make_certificate(name="authority of clients")


@cache
def exim() -> Daemon:
    """Exim, as Debian's exim4-daemon-light has it."""
    program = unpacked("exim4", "exim4-daemon-light")
    pem, key = certificate()

    def config(folder: Path, port: int) -> str:
        # Exim reads the key as its own user.
        shutil.copy(pem, folder / "cert.pem")
        shutil.copy(key, folder / "key.pem")
        for name in ("cert.pem", "key.pem"):
            (folder / name).chmod(0o644)
        write_pair(folder, "authority", authority())
        settings = {
            "authority": folder / "authority.pem",
            "certificate": folder / "cert.pem",
            "key": folder / "key.pem",
            "sink": free_port(),
        }
        return _EXIM.format(folder=folder, port=port, program=program, password=PASSWORD, **settings)

    return in_namespace(config, "logs/mainlog", program, "-bdf")
