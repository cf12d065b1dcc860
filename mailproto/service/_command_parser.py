"""The parser of a command's arguments, whose exit status is that of sysexits.h."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from typing import NoReturn

__all__ = ["CommandParser"]


class CommandParser(ArgumentParser):
    """An `ArgumentParser` that ends the process with `os.EX_USAGE`, as everything else in a command does that
    finds wrong usage; argparse's own status is 2.  The parsers of its actions are of this class, too."""

    def error(self, message: str) -> NoReturn:
        """Print how the command is used, and what is wrong, and end the process."""
        self.print_usage(sys.stderr)
        self.exit(os.EX_USAGE, f"{self.prog}: {message}\n")
