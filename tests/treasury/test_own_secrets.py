"""The Treasury's secrets are among those that Butler looks for."""

import pytest

from keys.own_secrets import OwnSecrets
from tests.moments import NOON
from tests.treasury.builders import open_account
from tests.treasury.purchases import FINN
from tests.treasury.rail_accounts import add_rail
from treasury import services as treasury
from treasury.services import AccessTerms

pytestmark = pytest.mark.django_db
# Of no vendor, in a form that none has.
RAIL, HOOK = f"sk_test_{'51Hx' * 4}", f"whsec_{'9f8e' * 4}"
MANAGEMENT, ADMIN = f"sk-or-{'0a1b' * 4}", f"sk-admin-{'Zy98' * 4}"


def test_secrets_of_rails_and_of_credit_are_found():
    add_rail(secret=RAIL, webhook_secret=HOOK)
    credit = open_account("credit:openai")
    access = {"reason": "x", "actor": FINN, "now": NOON}
    treasury.set_balance_access(
        credit.pk, AccessTerms(format="openrouter"), secret=MANAGEMENT, **access
    )
    treasury.set_cap_access(credit.pk, format_name="openai", secret=ADMIN, **access)
    text = f"a {RAIL}\nb {HOOK}\nc {MANAGEMENT}\nd {ADMIN}\nnone: sk-or-ffff"
    found = [(each.subject, each.line) for each in OwnSecrets().find(text)]
    account = f"account:{credit.pk}"
    assert found == [("rail:stripe", 1), ("rail:stripe", 2), (account, 3), (account, 4)]
