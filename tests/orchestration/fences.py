"""What tests of fenced commands share."""

import os
import subprocess

import psutil
import pytest


def _can_fence() -> bool:
    """Whether bubblewrap is installed, and may do here what it is for."""
    tried = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    try:
        return subprocess.run(tried, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


# In `.ci/run` they must not be skipped where bubblewrap works.
needs_fence = pytest.mark.skipif(
    os.environ.get("BUTLER_FENCE_TESTS") != "required" and not _can_fence(),
    reason="bubblewrap is not installed, or may not create namespaces here",
)


def running_with(argument):
    """The processes of this machine that have this argument."""
    return [
        one for one in psutil.process_iter(["cmdline"]) if argument in (one.info["cmdline"] or ())
    ]
