"""The sandbox provider, one process for the tests of one file."""

import pytest

from tests.gateway.sandbox import running_sandbox


@pytest.fixture(scope="module")
def process():
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(process):
    process.clear()
    return process
