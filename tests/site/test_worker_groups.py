"""Tests of one group run in one worker: they share a database, a port or all connections."""

import pytest


@pytest.mark.xdist_group("races")
def test_a_test_goes_to_the_worker_of_its_group(request):
    """pytest-xdist finds the group behind the name, if it and pytest fit together."""
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("The tests are not distributed by their groups.")
    assert request.node.nodeid.endswith("@races")
