"""The table of corner cases, row by row: a test is named for its row.

``test_17_...`` belongs to row 17, ``test_a2_...`` to the second of those that have no number.

Parts of these rows are about a server that relays, and are to be tested with its queue: no
automatic reply to the null path (24), no MX look-up for address literals (28), bounces of
what the next hop cannot take (34, 35), ORCPT kept on the way (37), MX lists and null MX
(39), REQUIRETLS and TLS-Required in the queue and in bounces (a4).
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase, TestCase

ROWS = {
    "01": "..x is .x",
    "02": "stuffing of dots by the client",
    "03": "LF.CRLF, LF.LF and CR.CR do not end the data",
    "04": "bare CR and LF in content",
    "05": "a bare LF does not end a command",
    "06": "plaintext behind STARTTLS",
    "07": "what STARTTLS makes forgotten",
    "08": "the client and what follows 220",
    "09": "STARTTLS twice, or with an argument",
    "10": "where TLS is required",
    "11": "the client and a refused STARTTLS",
    "12": "replies in order",
    "13": "all recipients refused in one group",
    "14": "commands behind the dot",
    "15": "clients that talk first",
    "16": "MAIL before EHLO",
    "17": "a second MAIL",
    "18": "EHLO within a transaction",
    "19": "RSET",
    "20": "a greeting without a name",
    "21": "DATA with an argument, DATA without recipients",
    "22": "NOOP, VRFY, HELP, and what is unknown",
    "23": "parameters that are unknown or bad",
    "24": "the null path",
    "25": "Postmaster",
    "26": "source routes",
    "27": "quoted local parts",
    "28": "address literals",
    "29": "lengths",
    "30": "SIZE",
    "31": "many recipients",
    "32": "a BDAT that is refused",
    "33": "BDAT and DATA",
    "34": "the next hop lacks 8BITMIME or BINARYMIME",
    "35": "SMTPUTF8",
    "36": "AUTH",
    "37": "DSN",
    "38": "LMTP",
    "39": "loops, and servers that take no mail",
    "40": "time",
    "a1": "PROXY and XCLIENT",
    "a2": "NUL, and web browsers",
    "a3": "Authentication-Results of our own",
    "a4": "REQUIRETLS",
}

_TEST = re.compile(r"test_(\d\d|a\d)_")


class TableTests(SynchronousTestCase):
    def test_each_row_has_a_test(self) -> None:
        found = set()
        for path in Path(__file__).parent.glob("test_*.py"):
            module = import_module(f"{__package__}.{path.stem}")
            for case in vars(module).values():
                if isinstance(case, type) and issubclass(case, SynchronousTestCase | TestCase):
                    found |= {match[1] for name in dir(case) if (match := _TEST.match(name))}
        self.assertEqual(found, set(ROWS))
