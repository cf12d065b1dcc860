"""The tests of mailproto."""

import os

# The processes of `trial -j` have one, with all that their parent finds.  Programs that tests start, and
# virtual environments that they make, must not find it, too.
os.environ.pop("PYTHONPATH", None)
