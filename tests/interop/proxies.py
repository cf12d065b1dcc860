"""Proxies, each started for one test in a folder of its own: nginx, which speaks SMTP, and HAProxy."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from twisted.trial.unittest import SkipTest

from tests.interop.daemons import Daemon, new_folder
from tests.interop.server import HOST, need
from tests.interop.sink import unused_port

__all__ = ["AuthServer", "haproxy", "nginx"]

_MAIL_MODULE = Path("/usr/lib/nginx/modules/ngx_mail_module.so")

_NGINX = """
load_module {module};
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/log info;
events {{ }}
mail {{
  auth_http {host}:{auth_port}/;
  server_name nginx.test;
  xclient on;
  proxy_pass_error_message on;
  set_real_ip_from {host};
  server {{
    listen {host}:{port} proxy_protocol;
    protocol smtp;
    smtp_auth plain none;
  }}
}}
"""


class AuthServer:
    """What nginx asks, over HTTP, who may sign in and where to go (`ngx_mail_auth_http_module`).

    :param passwords: of those who may sign in, by name.
    :param port: of the server for those who signed in, and for those who did not.
    """

    def __init__(self, passwords: Mapping[str, str], port: Callable[[bool], int]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                signs_in = self.headers["Auth-Method"] != "none"
                name, password = (unquote(self.headers[f"Auth-{part}"]) for part in ("User", "Pass"))
                self.send_response(200)
                if signs_in and passwords.get(name) != password:
                    self.send_header("Auth-Status", "Invalid login or password")
                else:
                    self.send_header("Auth-Status", "OK")
                    self.send_header("Auth-Server", HOST)
                    self.send_header("Auth-Port", str(port(signs_in)))
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Not to the output of the tests."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def nginx(auth: AuthServer) -> Daemon:
    """nginx before submission and SMTP; its clients are those that a PROXY header names."""
    need("nginx", "nginx")
    if not _MAIL_MODULE.exists():
        raise SkipTest("needs nginx's mail module: install the Debian package libnginx-mod-mail")
    folder, port = new_folder(), unused_port()
    config = folder / "config"
    config.write_text(
        _NGINX.format(module=_MAIL_MODULE, folder=folder, host=HOST, port=port, auth_port=auth.port)
    )
    return Daemon(
        folder,
        port,
        folder / "log",
        ["nginx", "-p", folder, "-e", folder / "log", "-c", config],
        hello=b"PROXY UNKNOWN\r\n",
    )


_HAPROXY = """
global
    log stdout format raw local0
defaults
    mode tcp
    log global
    option log-health-checks
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend front
    bind {host}:{port}
    default_backend {first}
"""


def haproxy(backends: Mapping[str, Sequence[str]], frontends: Mapping[str, str] | None = None) -> Daemon:
    """HAProxy before the first of the backends.

    :param backends: the lines of each.
    :param frontends: further ones: where each listens, by its backend.
    """
    need("haproxy", "haproxy")
    folder, port = new_folder(), unused_port()
    text = _HAPROXY.format(host=HOST, port=port, first=next(iter(backends)))
    for name, place in (frontends or {}).items():
        text += f"frontend front-{name}\n    bind {place.format(folder=folder)}\n    default_backend {name}\n"
    for name, lines in backends.items():
        text += "".join([f"backend {name}\n", *(f"    {line}\n" for line in lines)])
    (folder / "config").write_text(text)
    return Daemon(folder, port, folder / "log", ["haproxy", "-db", "-f", folder / "config"])
