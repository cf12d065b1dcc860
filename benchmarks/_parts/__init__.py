"""What the programs in ``benchmarks/`` share.  Nothing here is a program."""

import importlib.util
import sys

for _package in ("twisted", "mailproto"):
    if importlib.util.find_spec(_package) is None:
        print(f"{_package} is missing: needs the package mailproto (pip install -e .)", file=sys.stderr)
        sys.exit(2)
