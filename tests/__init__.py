"""The tests of mailproto."""

import os

from hypothesis import HealthCheck, settings

# The processes of `trial -j` have one, with all that their parent finds.  Programs that tests start, and
# virtual environments that they make, must not find it, too.
os.environ.pop("PYTHONPATH", None)

# How long an example takes says much about the machine, and little about the program.
# `.ci/run` tries the same examples each time, so that it answers for the change alone; others try new ones.
settings.register_profile(
    "mailproto",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
    database=None if "CI" in os.environ else settings().database,
)
settings.load_profile("mailproto")
