"""mailproto in asyncio applications: programs, because a process of trial has a reactor already.

Each runs in Python's development mode, and must leave standard error empty: no warnings of resources that
were not closed, of coroutines that were not awaited, or of tasks that were pending at the end.
"""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import textwrap

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from mailproto.aio import bridge
from tests.processes import CHECKOUT, PATIENCE

BEGIN = """
import asyncio, gc, os, signal, sys, threading
from email.message import EmailMessage
from mailproto.aio import bridge, running_reactor
from mailproto.client import ServerAddress
from mailproto.client.errors import ClientError
from mailproto.delivery import FunctionDelivery
from mailproto.listening import Listener
from mailproto.smtp import SMTPServerFactory, send_mail

ANY = "tcp:0:interface=127.0.0.1"

def message():
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "bob@example.org", "alice@example.org", "Hello"
    made.set_content("It works.")
    return made

def server(port, host="127.0.0.1"):
    return ServerAddress(host, port, tls="none")

async def deliver(envelope, content):
    await asyncio.sleep(0.01)
    print("delivered", flush=True)

def listener(function=deliver):
    return Listener(ANY, SMTPServerFactory(FunctionDelivery(function)))

def descriptors():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))

def alone():
    return asyncio.all_tasks() == {asyncio.current_task()}
"""


class ProgramTests(SynchronousTestCase):
    def start(self, program: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-X", "dev", "-c", BEGIN + textwrap.dedent(program)],
            env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_program(self, program: str) -> list[str]:
        """The lines that it prints."""
        process = self.start(program)
        try:
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
            process.wait()
        err = re.sub(r"^Executing .* took [\d.]+ seconds\n", "", err, flags=re.M)  # a slow machine
        self.assertEqual((process.returncode, err), (0, ""), out)
        return out.splitlines()

    def test_the_example(self) -> None:
        done = subprocess.run(
            [sys.executable, "-X", "dev", str(CHECKOUT / "examples" / "asyncio_app.py")],
            env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual(done.stderr, "")
        self.assertRegex(
            done.stdout,
            r"\ASMTP on port \d+\nbob@example\.org sent \d+ octets\nsent to alice@example\.org\n\Z",
        )

    def test_calls_are_bridged_one_by_one(self) -> None:
        lines = self.run_program("""
            async def main():
                async with running_reactor() as reactor:
                    here = listener()
                    await bridge(here.start())
                    one = lambda: bridge(send_mail(reactor, server(here.port), message()))
                    await asyncio.gather(one(), asyncio.create_task(one()))
                    async with asyncio.TaskGroup() as group:
                        group.create_task(one())
                    await bridge(here.stop())
                    print(alone())
            asyncio.run(main())
        """)
        self.assertEqual(lines, ["delivered"] * 3 + ["True"])

    def test_one_loop_after_another(self) -> None:
        """As tests of applications do; nothing is left."""
        lines = self.run_program("""
            async def main():
                async with running_reactor() as reactor:
                    from twisted.internet import reactor as installed
                    assert installed is reactor
                    here = listener()
                    for _ in range(2):
                        await here.start()
                        await send_mail(reactor, server(here.port), message())
                        await here.stop()
                assert alone()
            asyncio.run(bridge(main()))
            before = descriptors()
            asyncio.run(bridge(main()))
            print(descriptors() - before, threading.active_count())
        """)
        self.assertEqual(lines, ["delivered"] * 4 + ["0 1"])

    def test_names_are_looked_up_in_threads_that_end(self) -> None:
        lines = self.run_program("""
            async def main():
                async with running_reactor() as reactor:
                    here = listener()
                    await here.start()
                    await send_mail(reactor, server(here.port, "localhost"), message())
                    await here.stop()
            asyncio.run(bridge(main()))
            print(threading.active_count())
        """)
        self.assertEqual(lines, ["delivered", "1"])

    def test_a_timeout_ends_what_it_is_about(self) -> None:
        """However far the server has gone before it is silent: the connection is closed."""
        lines = self.run_program("""
            replies = [b"%d x\\r\\n" % code for code in (220, 250, 250, 250, 354, 250)]

            async def main():
                for given in range(len(replies) + 1):
                    gone = asyncio.Event()

                    async def serve(reader, writer):
                        try:
                            for number, reply in enumerate(replies[:given]):
                                if number:
                                    await reader.readuntil(b"\\r\\n.\\r\\n" if number == 5 else b"\\r\\n")
                                writer.write(reply)
                            await reader.read()
                        except OSError:
                            pass
                        gone.set()
                        writer.close()

                    other = await asyncio.start_server(serve, "127.0.0.1", 0)
                    port = other.sockets[0].getsockname()[1]
                    async with running_reactor() as reactor:
                        try:
                            async with asyncio.timeout(0.1):
                                result = await send_mail(reactor, server(port), message())
                        except TimeoutError:
                            print(given, "timeout")
                        await gone.wait()
                    other.close()
                    await other.wait_closed()
                    await asyncio.sleep(0.01)
                    assert alone()
            asyncio.run(bridge(main()))
        """)
        self.assertEqual(lines, [f"{number} timeout" for number in range(7)])

    def test_a_delivery_that_takes_too_long(self) -> None:
        lines = self.run_program("""
            async def slow(envelope, content):
                try:
                    async with asyncio.timeout(0.1):
                        await asyncio.Event().wait()
                except TimeoutError:
                    print("too slow")

            async def main():
                async with running_reactor() as reactor:
                    here = listener(slow)
                    await here.start()
                    await send_mail(reactor, server(here.port), message())
                    await here.stop()
            asyncio.run(bridge(main()))
        """)
        self.assertEqual(lines, ["too slow"])

    def test_the_end_closes_everything(self) -> None:
        """A port, connections, timers, and what waits for the reactor's end."""
        lines = self.run_program("""
            async def main():
                async with running_reactor() as reactor:
                    here = listener()
                    await here.start()
                    reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
                    print((await reader.readline())[:3])
                    reactor.callLater(3600, print, "late")
                    reactor.addSystemEventTrigger(
                        "before", "shutdown", lambda: here.stop().addCallback(lambda _: print("stopped"))
                    )
                print(await reader.read() != b"")
                writer.close()
                await writer.wait_closed()
                print(alone())
            asyncio.run(bridge(main()))
        """)
        self.assertEqual(lines, ["b'220'", "stopped", "True", "True"])

    def test_an_error_ends_it_too(self) -> None:
        lines = self.run_program("""
            async def main():
                async with running_reactor():
                    await listener().start()
                    raise ValueError("mine")
            for _ in range(2):
                try:
                    asyncio.run(bridge(main()))
                except ValueError as error:
                    print(error, "twisted.internet.reactor" in sys.modules)
        """)
        self.assertEqual(lines, ["mine False"] * 2)

    def test_errors_of_the_network(self) -> None:
        lines = self.run_program("""
            async def main():
                async with running_reactor() as reactor:
                    here = listener()
                    await here.start()
                    port = here.port
                    await here.stop()
                    try:
                        await send_mail(reactor, server(port), message())
                    except ClientError as error:
                        print(type(error).__name__)
            asyncio.run(bridge(main()))
        """)
        self.assertEqual(lines, ["ConnectFailed"])

    def test_the_reactors_end_is_not_the_loops(self) -> None:
        lines = self.run_program("""
            async def main():
                async with running_reactor() as reactor:
                    here = listener()
                    await here.start()
                    reactor.stop()
                    await asyncio.sleep(0.05)
                    print(reactor.running)
                print("over")
            asyncio.run(bridge(main()))
        """)
        self.assertEqual(lines, ["False", "over"])

    def test_another_reactor(self) -> None:
        lines = self.run_program("""
            from twisted.internet import reactor
            async def main():
                async with running_reactor():
                    print("never")
            try:
                asyncio.run(main())
            except RuntimeError as error:
                print(error)
        """)
        self.assertEqual(len(lines), 1)
        self.assertRegex(lines[0], r"^a reactor is installed already \(\w+Reactor\): only one can be")

    def test_one_at_a_time(self) -> None:
        lines = self.run_program("""
            async def main():
                async with running_reactor():
                    try:
                        async with running_reactor():
                            print("never")
                    except RuntimeError as error:
                        print(error)
                    await listener().start()
            asyncio.run(bridge(main()))
        """)
        self.assertRegex("".join(lines), r"^a reactor is installed already \(_LoopReactor\): only one can be")

    def test_a_signal_of_the_applications_own(self) -> None:
        """A delivery is finished, as after SIGTERM in twistd."""
        process = self.start("""
            async def slow(envelope, content):
                print("delivering", flush=True)
                await asyncio.sleep(0.5)
                print("delivered", flush=True)

            async def main():
                stopping = asyncio.Event()
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
                async with running_reactor() as reactor:
                    here = listener(slow)
                    await here.start()
                    sending = asyncio.create_task(bridge(send_mail(reactor, server(here.port), message())))
                    await stopping.wait()
                    await here.stop()
                    print(*(await sending).accepted)
            asyncio.run(bridge(main()))
        """)
        assert process.stdout is not None
        try:
            self.assertEqual(process.stdout.readline(), "delivering\n")
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
            process.wait()
        self.assertEqual((out, err), ("delivered\nalice@example.org\n", ""))

    def test_ctrl_c(self) -> None:
        process = self.start("""
            async def main():
                async with running_reactor():
                    here = listener()
                    await here.start()
                    print("ready", flush=True)
                    try:
                        await asyncio.Event().wait()
                    finally:
                        await here.stop()
                        print("stopped")
            try:
                asyncio.run(bridge(main()))
            except KeyboardInterrupt:
                print("interrupted")
        """)
        assert process.stdout is not None
        try:
            self.assertEqual(process.stdout.readline(), "ready\n")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
            process.wait()
        self.assertEqual((out, err), ("stopped\ninterrupted\n", ""))

    def test_on_uvloop(self) -> None:
        if importlib.util.find_spec("uvloop") is None:
            raise SkipTest("needs uvloop")
        lines = self.run_program("""
            import uvloop
            async def main():
                async with running_reactor() as reactor:
                    here = listener()
                    await here.start()
                    await send_mail(reactor, server(here.port), message())
                    await here.stop()
            uvloop.run(bridge(main()))
        """)
        self.assertEqual(lines, ["delivered"])


class InThisProcessTests(SynchronousTestCase):
    """What needs no reactor on the loop."""

    def test_values_errors_and_kinds(self) -> None:
        import asyncio

        fired: Deferred[int] = Deferred()

        async def main() -> list[object]:
            future = asyncio.get_running_loop().create_future()
            future.set_result(2)
            waiting: Deferred[int] = Deferred()
            asyncio.get_running_loop().call_soon(waiting.callback, 3)
            failing: Deferred[int] = Deferred()
            failing.errback(ValueError("4"))
            fired.callback(1)
            found: list[object] = [await bridge(fired), await bridge(future), await bridge(waiting)]
            try:
                await bridge(failing)
            except ValueError as error:
                found.append(str(error))
            return found

        self.assertEqual(asyncio.run(main()), [1, 2, 3, "4"])
