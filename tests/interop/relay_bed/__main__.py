"""The long form: see the package."""

from __future__ import annotations

import sys
from argparse import ArgumentDefaultsHelpFormatter, ArgumentParser
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import react

from tests.interop.relay_bed import __doc__ as text
from tests.interop.relay_bed.bed import Plan, run_bed
from tests.interop.relay_bed.judging import as_lines


async def main(reactor: Any) -> None:
    parser = ArgumentParser("relay_bed", description=text, formatter_class=ArgumentDefaultsHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--domains", type=int, default=200)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--between", type=float, default=6.0, help="seconds from a start to a kill")
    parser.add_argument("--lifetime", type=int, default=3600, help="seconds; longer than the run")
    parser.add_argument("--hopeless", type=int, default=60, help="the same, of what nobody will take")
    parser.add_argument("--retry", type=int, default=1, help="seconds")
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--patience", type=float, default=3600, help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", help="write the server's log to this file")
    options = vars(parser.parse_args())
    log = options.pop("log")
    found = await run_bed(reactor, Plan(**options))
    if log:
        with open(log, "w") as file:
            file.write(found.server_log)
    verdict, record = found.verdict, found.record
    longest = max((kill.at - kill.since for kill in found.kills), default=0.0)
    figures: dict[str, object] = {
        "accepted in": f"{found.accepted_in:.1f} s",
        "all done in": f"{found.seconds:.1f} s",
        "kills": len(found.kills),
        "longest without a sign of life, before a kill": f"{longest:.1f} s",
        "recipients who got the message": verdict.arrived,
        "recipients reported to the sender": verdict.bounced,
        "final replies dropped by hosts": verdict.lost_replies,
        "recipients who got it once more": verdict.twice,
        "of these because of a kill": verdict.by_kills,
        "messages whose acceptance is unknown": verdict.unknown,
        "refused at submission": f"{len(found.refusals)} {sorted(set(found.refusals))[:5]}",
        "faults of hosts": dict(record.faults),
        "by TLS": dict(record.in_tls),
        "traceback": found.traceback or "none",
        "losses": len(verdict.losses),
        "FAULTS": "".join(f"\n  {fault}" for fault in verdict.faults) or "none",
    }
    print(as_lines(figures))
    if verdict.faults or found.traceback:
        sys.exit(1)


if __name__ == "__main__":
    react(lambda reactor: ensureDeferred(main(reactor)))
