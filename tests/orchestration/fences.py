"""What tests of fenced commands share."""

import os
import shutil

import psutil
import pytest

# In `.ci/run` they must not be skipped.
needs_fence = pytest.mark.skipif(
    not shutil.which("bwrap") and os.environ.get("BUTLER_FENCE_TESTS") != "required",
    reason="bubblewrap is not installed",
)


def running_with(argument):
    """The processes of this machine that have this argument."""
    return [
        one for one in psutil.process_iter(["cmdline"]) if argument in (one.info["cmdline"] or ())
    ]
