"""What the tests of `common` may use."""

import signal

import pytest

from tests.common.embedded import running_server


@pytest.fixture
def folder(tmp_path):
    """A data folder; servers that still run in it afterwards are stopped."""
    yield tmp_path / "postgres"
    server = running_server(tmp_path / "postgres")
    if server:
        server.send_signal(signal.SIGQUIT)
        server.wait(20)
