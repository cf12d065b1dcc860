# A queue in front of a smarthost: this machine's programs send at once, and mail waits until it can go on
import os
from pathlib import Path
from twisted.application import service
from twisted.internet import reactor
from mailproto.service import MailService, RelaySettings, Settings

settings = Settings(
    data=Path(os.environ.get("MAILPROTO_DATA", "mailproto-data")),
    domains=[os.environ.get("MAILPROTO_DOMAIN", "localhost")],
    listen={"smtp": [os.environ.get("MAILPROTO_SMTP", "tcp:8025:interface=127.0.0.1")]},
    relay=RelaySettings(
        way=os.environ.get("MAILPROTO_SMARTHOST", "smtp://mail.example.net:587?tls=verified"),
        clients=["127.0.0.1", "::1"],
    ),
)
application = service.Application("relay")
MailService(settings, reactor).setServiceParent(application)
