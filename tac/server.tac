# The whole server, as `twistd mailproto` runs it, with options of your own: twistd -ny server.tac
import os
from twisted.application import service
from mailproto.service import Options, make_service

options = Options()
options.parseOptions(
    ["--data", os.environ.get("MAILPROTO_DATA", "mailproto-data"), "--domain", "example.org"]
    + ["--account", "alice@example.org:secret", "--hostname", "mail.example.org"]
    + ["--smtp", os.environ.get("MAILPROTO_SMTP", "tcp:8025:interface=127.0.0.1")]
    + ["--submissions", os.environ.get("MAILPROTO_SUBMISSIONS", "tcp:8465:interface=127.0.0.1")]
    + ["--imaps", os.environ.get("MAILPROTO_IMAPS", "tcp:8993:interface=127.0.0.1")]
)
application = service.Application("mailproto")
make_service(options).setServiceParent(application)
