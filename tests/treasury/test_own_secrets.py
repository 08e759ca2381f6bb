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
RAIL, HOOK = "sk_test_51HxAbCdEfGhIjKl", "whsec_9f8e7d6c5b4a39281706"
MANAGEMENT, ADMIN = "sk-or-v1-0123456789abcdef0123", "sk-admin-ZyXwVuTs98765432"


def test_secrets_of_rails_and_of_credit_are_found():
    add_rail(secret=RAIL, webhook_secret=HOOK)
    credit = open_account("credit:openai")
    access = {"reason": "x", "actor": FINN, "now": NOON}
    treasury.set_balance_access(
        credit.pk, AccessTerms(format="openrouter"), secret=MANAGEMENT, **access
    )
    treasury.set_cap_access(credit.pk, format_name="openai", secret=ADMIN, **access)
    text = f"a {RAIL}\nb {HOOK}\nc {MANAGEMENT}\nd {ADMIN}\nnone: sk-or-v1-ffffffffffff0000"
    found = [(each.subject, each.line) for each in OwnSecrets().find(text)]
    account = f"account:{credit.pk}"
    assert found == [("rail:stripe", 1), ("rail:stripe", 2), (account, 3), (account, 4)]
