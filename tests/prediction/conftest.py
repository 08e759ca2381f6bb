"""Each test asks the database for the version in use again."""

import pytest

from prediction import centre_shares, in_use


@pytest.fixture(autouse=True)
def nothing_kept():
    in_use.forget()
    centre_shares.forget()
    yield
    in_use.forget()
    centre_shares.forget()
