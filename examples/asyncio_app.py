"""Mail in an asyncio application: it receives messages, and sends one to itself."""

import asyncio
from email.message import EmailMessage

from mailproto.aio import bridge, running_reactor
from mailproto.client import ServerAddress
from mailproto.delivery import FunctionDelivery
from mailproto.listening import Listener
from mailproto.smtp import SMTPServerFactory, send_mail


async def deliver(envelope, content):
    async with asyncio.timeout(5):
        await asyncio.sleep(0.1)  # or whatever your asyncio libraries do: a database, an HTTP request
    print(f"{envelope.sender} sent {len(content)} octets")


async def main():
    async with running_reactor() as reactor:
        factory = SMTPServerFactory(FunctionDelivery(deliver))
        listener = Listener("tcp:0:interface=127.0.0.1", factory)
        await listener.start()
        print(f"SMTP on port {listener.port}")

        message = EmailMessage()
        message["From"], message["To"] = "bob@example.org", "alice@example.org"
        message["Subject"] = "Hello"
        message.set_content("It works.")
        server = ServerAddress("127.0.0.1", listener.port, tls="none")
        async with asyncio.timeout(10):
            result = await send_mail(reactor, server, message)
        print("sent to", *result.accepted)

        await listener.stop()


asyncio.run(bridge(main()))
