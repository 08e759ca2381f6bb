"""Suites that need what is not always installed."""

import os

import pytest


def skip_unless_installed(
    items: list[pytest.Item], *, folder: str, missing: str | None, variable: str
) -> None:
    """The tests of a folder are slow and share one set of processes, so they run in one worker; not
    at all if something is `missing`, unless the environment says that this is a failure
    (`required`)."""
    for item in items:
        if item.path.parent.name == folder:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.xdist_group(folder))
            if missing and os.environ.get(variable) != "required":
                item.add_marker(pytest.mark.skip(reason=missing))
