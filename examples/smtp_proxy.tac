# An SMTP proxy: asks the next hop at each step, and passes its replies on: twistd -ny smtp_proxy.tac
import os

from twisted.application import service

from mailproto.client import ServerAddress
from mailproto.delivery.routing import SMTPDelivery
from mailproto.listening import Listener
from mailproto.smtp import SMTPServerFactory

HOST, PORT = os.environ.get("MAILPROTO_NEXT_HOP", "localhost:25").rsplit(":", 1)
NEXT_HOP = ServerAddress(HOST, int(PORT), tls="opportunistic")

application = service.Application("SMTP proxy")
endpoint = os.environ.get("MAILPROTO_SMTP", "tcp:8025:interface=127.0.0.1")
Listener(endpoint, SMTPServerFactory(SMTPDelivery(NEXT_HOP))).setServiceParent(application)
