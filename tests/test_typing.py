"""mypy checks applications, without zope's plugin and with it: what is right passes, what is wrong does not.

The environment without the plugin is as a user has it: mypy-zope's stubs of zope are not there either.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
import venv
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.processes import CHECKOUT

RIGHT = """
from __future__ import annotations

from collections.abc import Sequence

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.task import Clock
from zope.interface import implementer  # type: ignore[import-untyped, unused-ignore]

from mailproto.aio import bridge, running_reactor
from mailproto.auth import password_portal, store_portal
from mailproto.backends import MemoryStore, SimpleMailbox, SingleStore
from mailproto.client import ServerAddress
from mailproto.content import Content
from mailproto.delivery import (
    CatchAllDelivery,
    Delivery,
    DeliverySession,
    FunctionDelivery,
    MailboxDelivery,
    PerSession,
)
from mailproto.imap import IMAPServerFactory
from mailproto.interfaces import IDelivery, IMailbox, IObjectIds, IStore
from mailproto.listening import Listener
from mailproto.model import Address, Envelope, Outcome, Parameters, Session
from mailproto.connection.commands import ServerCommand, State
from mailproto.imap.server import IMAPCommandSession
from mailproto.imap.wire import ArgumentReader
from mailproto.observing import Accepted, Observer
from mailproto.pop3 import POP3ServerFactory
from mailproto.service import Settings, make_service
from mailproto.smtp import SMTPClient, SMTPSender, SMTPServerFactory
from mailproto.smtp.server import SMTPCommandSession, SMTPServer
from mailproto.tls import server_tls


@implementer(IDelivery)
class Own:
    async def sender(self, session: Session, path: Address, parameters: Parameters) -> None: ...

    async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None: ...

    async def deliver(self, envelope: Envelope, message: Content) -> Sequence[Outcome]:
        return [Outcome(250, "2.0.0", "Taken")]


class Based(Delivery):
    async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
        return []


class Plain(Delivery):
    def recipient(self, session: Session, path: Address, parameters: Parameters) -> None:
        print(path)

    def deliver(self, envelope: Envelope, content: Content) -> None:
        print(len(content))


class Deferring(Delivery):
    async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None:
        await super().recipient(session, path, parameters)

    def deliver(self, envelope: Envelope, content: Content) -> Deferred[Sequence[Outcome]]:
        return succeed([])


class OfOneConnection(DeliverySession):
    def deliver(self, envelope: Envelope, content: Content) -> None:
        print(self.session.peer)

    def reset(self) -> None:
        print("again")


class Tickets(SimpleMailbox):
    writable = False


def passed(envelope: Envelope, content: Content) -> None:
    print(len(content))


def id_of(mailbox: IMailbox) -> str:
    return mailbox.mailbox_id if IObjectIds.providedBy(mailbox) else mailbox.name


store: IStore = MemoryStore()
deliveries: list[IDelivery] = [Own(), Based(), Plain(), Deferring(), FunctionDelivery(passed)]
for delivery in deliveries:
    SMTPServerFactory(delivery, clock=reactor, hostname="mail.example.org")
SMTPServerFactory(MailboxDelivery(store, ["example.org"]))
SMTPServerFactory(PerSession(OfOneConnection))
SMTPServerFactory(Own(), clock=Clock(), hostname="mail.example.org", tls=server_tls("cert.pem", "key.pem"))
single = SingleStore("support@example.org", "", Tickets())
portal = store_portal(single, reactor)
SMTPServerFactory(Own(), portal=password_portal({"bob": "secret"}), auth_required=True)
SMTPServerFactory(Own(), portal=password_portal(lambda username, password: password == "secret"))
IMAPServerFactory(portal, clock=reactor, hostname="mail.example.org")
POP3ServerFactory(portal, clock=Clock(), hostname="mail.example.org")
SMTPSender(reactor, ServerAddress("mail.example.org"))
Listener("tcp:8025", SMTPServerFactory(Own()))
endpoint = TCP4ServerEndpoint(reactor, 8025)  # type: ignore[no-untyped-call]
Listener(endpoint, SMTPServerFactory(Own()), reactor=reactor)


async def connected() -> SMTPClient:
    return await SMTPClient.connect(reactor, TCP4ClientEndpoint(reactor, "mail.example.org", 25))
listener = Listener("tcp:25", SMTPServerFactory(CatchAllDelivery(store, "dev@localhost")), reactor=reactor)
Listener("tcp:993", IMAPServerFactory(portal), tls=server_tls("cert.pem", "key.pem"))
started: Deferred[None] = listener.start()
number: int = listener.port


async def in_asyncio() -> None:
    async with running_reactor():
        await bridge(listener.start())


class Metrics(Observer):
    def accepted(self, event: Accepted) -> None:
        print(event.size, event.client.address)


class Slow(SMTPServer):
    def write_greeting(self) -> None:
        super().write_greeting()


def xhello(session: SMTPCommandSession, argument: str) -> str:
    return f"{argument} {session.client.address}"


async def xecho(session: IMAPCommandSession, arguments: ArgumentReader) -> None:
    session.untagged("XECHO", arguments.text(), 1, None, [b"x"])


commands = {"XHELLO": xhello}
SMTPServerFactory(Own(), observer=Metrics(), commands=commands, capabilities=["XHELLO"], protocol_class=Slow)
own = {"XECHO": ServerCommand(xecho, states=State.SIGNED_IN | State.SELECTED)}
IMAPServerFactory(portal, observer=[Metrics()], commands=own)
make_service(Settings(), observer=Metrics())
"""

WRONG = """
from __future__ import annotations

from collections.abc import Sequence
from ssl import SSLContext

from twisted.internet import reactor
from zope.interface import implementer  # type: ignore[import-untyped, unused-ignore]

from mailproto.backends import SingleStore
from mailproto.auth import store_portal
from mailproto.client import ServerAddress
from mailproto.content import Content
from mailproto.delivery import Delivery, FunctionDelivery
from mailproto.interfaces import IDelivery, IMailbox
from mailproto.model import Address, Envelope, Outcome, Parameters, Session
from mailproto.smtp import SMTPSender, SMTPServerFactory


@implementer(IDelivery)
class FewerParameters:
    async def sender(self, session: Session, path: Address) -> None: ...  # with the plugin

    async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None: ...

    async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
        return []


@implementer(IDelivery)
class NoDeliver:  # with the plugin
    async def sender(self, session: Session, path: Address, parameters: Parameters) -> None: ...

    async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None: ...


class WrongResult(Delivery):
    def recipient(self, session: Session, path: Address, parameters: Parameters) -> bool:
        return False

    def deliver(self, envelope: Envelope, content: Content) -> None: ...


class WrongContent(Delivery):
    async def deliver(self, envelope: Envelope, content: str) -> Sequence[Outcome]:  # wrong
        return []


delivery = FunctionDelivery(print)
SMTPServerFactory(FewerParameters(), clock=reactor, hostname="a")  # wrong
SMTPServerFactory(NoDeliver(), clock=reactor, hostname="a")  # wrong
SMTPServerFactory(WrongResult(), clock=reactor, hostname="a")  # wrong
SMTPServerFactory(WrongContent(), clock=reactor, hostname="a")  # wrong
SMTPServerFactory(5, clock=reactor, hostname="a")  # wrong
SMTPServerFactory(None, clock=reactor, hostname="a")  # wrong
SMTPServerFactory(FewerParameters, clock=reactor, hostname="a")  # wrong
SingleStore("a@example.org", "", [b"a message"])  # wrong
store_portal({}, reactor)  # wrong
SMTPServerFactory(delivery, clock="now", hostname="a")  # wrong
SMTPServerFactory(delivery, clock=reactor, hostname="a", tls="cert.pem")  # wrong
SMTPServerFactory(delivery, clock=reactor, hostname="a", tls=SSLContext())  # wrong
SMTPSender(5, ServerAddress("mail.example.org"))  # wrong


def name_of(mailbox: IMailbox) -> int:
    mailbox.uid_validity = 5  # wrong
    return mailbox.name  # wrong
"""

TWISTEDS_OWN = (
    'incompatible type "[^"]*(Factory|FileBodyProducer)[^"]*"; expected "I(ProtocolFactory|BodyProducer)\\b'
)
"""Errors without the plugin in calls of Twisted, with Twisted's own factories and producers as well."""

UNTYPED = r"\[(no-untyped-(def|call)|union-attr)\]$"
"""What only strict checks say of functions without annotations, which examples have: also that an attribute
may be None, where the order of calls says that it is not.
"""


def examples() -> dict[str, str]:
    """The README's applications, those of ``tac``, and others, by a name for a module."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (CHECKOUT / "README.md").read_text(), re.M | re.S)
    found = {f"readme_{number}": block for number, block in enumerate(blocks)}
    for path in [*CHECKOUT.glob("tac/*.tac"), *CHECKOUT.glob("examples/*.*")]:
        found[f"{path.parent.name}_{path.stem}_{path.suffix[1:]}"] = path.read_text()
    return found


def environment(folder: Path) -> Path:
    """An environment like this one but without mypy-zope; gives its interpreter."""
    venv.create(folder, symlinks=True)
    site_packages = next(folder.glob("lib/python*/site-packages"))
    for each in Path(sysconfig.get_path("purelib")).iterdir():
        if not re.match(r"zope-stubs|mypy_zope|mailproto|__editable__|.*\.pth$", each.name):
            (site_packages / each.name).symlink_to(each)
    (site_packages / "mailproto").symlink_to(CHECKOUT / "mailproto")
    return folder / "bin" / "python"


@cache
def errors(plugin: bool) -> list[str]:
    """What mypy, as strict as it can be, finds in all files; one run takes seconds."""
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "files").mkdir()
        for module, text in {"right": RIGHT, "wrong": WRONG, **examples()}.items():
            (folder / "files" / f"{module}.py").write_text(text)
        python = Path(sys.executable) if plugin else environment(folder / "venv")
        plugins = "plugins = mypy_zope:plugin\n" if plugin else ""
        (folder / "mypy.ini").write_text(f"[mypy]\n{plugins}cache_dir = {os.devnull}\n")
        done = subprocess.run(
            [
                *(sys.executable, "-m", "mypy", "--config-file", str(folder / "mypy.ini"), "--strict"),
                *("--python-executable", str(python), "--no-error-summary", "files"),
            ],
            cwd=folder,
            # trial's workers set PYTHONPATH, where mypy would find the stubs that are left out.
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.stderr or done.returncode not in (0, 1):
        raise AssertionError(done.stdout + done.stderr)
    return [line for line in done.stdout.splitlines() if ": error: " in line]


class WithoutPluginTests(SynchronousTestCase):
    plugin = False
    wrong = "wrong"
    """The comments of the lines in which there is an error."""

    def setUp(self) -> None:
        for needed in ("mypy", "mypy_zope"):
            if importlib.util.find_spec(needed) is None:
                raise SkipTest(f"needs {needed}: pip install 'mailproto[dev]'")

    def errors(self, of: str, *excused: str) -> list[str]:
        return [
            line
            for line in errors(self.plugin)
            if line.startswith(f"files/{of}") and not any(re.search(each, line) for each in excused)
        ]

    def test_a_typed_application_passes(self) -> None:
        self.assertEqual(self.errors("right."), [])

    def test_examples_pass(self) -> None:
        found = examples()
        self.assertGreater(len(found), 5)
        for name in found:
            with self.subTest(example=name):
                self.assertEqual(self.errors(f"{name}.", UNTYPED, TWISTEDS_OWN), [])

    def test_what_is_wrong_is_found(self) -> None:
        found = {int(line.split(":")[1]) for line in self.errors("wrong.")}
        lines = enumerate(WRONG.splitlines(), 1)
        expected = [number for number, line in lines if re.search(f"# ({self.wrong})$", line)]
        self.assertEqual(sorted(found), expected)


class WithPluginTests(WithoutPluginTests):
    plugin = True
    wrong = "wrong|with the plugin"
