"""The pages of rails: connecting a vendor, switching it on by two persons, collecting."""

import pytest
from django.utils import timezone

from security.models import Approval
from tests.dashboard.test_agents import signed_in
from tests.moments import NOON
from tests.treasury.contracts.fake_stripe import FakeStripe
from tests.treasury.purchases import approve, make_decider
from tests.treasury.rail_accounts import SETTINGS, add_paypal, add_rail, stand_in, switch_on
from treasury import services as treasury
from treasury.models import Account, Collection, RailAccount, Refund, RejectedWebhooks

pytestmark = pytest.mark.django_db
STRIPE = {
    "slug": "cards",
    "mode": "sandbox",
    "secret": "sk_test_fake",
    "webhook_secret": "whsec_very_secret",
    "return_url": "https://butler.example.com/treasury",
    "payment_method": "pm_card_visa",
}


@pytest.fixture
def vendor(settings, people):
    make_decider()
    stripe = FakeStripe()
    with stripe.serve():
        stand_in(settings, "stripe", stripe.url)
        yield stripe


def page(client, path="/treasury/rails"):
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_without_rails_the_page_teaches(people):
    shown = page(signed_in("fay", role="finance"))
    assert "No rail is connected yet" in shown and "Connect Stripe" in shown
    assert "Connect Stripe" not in page(signed_in("abe", role="approver"))


def test_from_a_secret_to_money_on_the_rail(vendor):
    fay = signed_in("fay", role="finance")
    assert "restricted key" in page(fay, "/treasury/rails?act=connect-stripe")
    wrong = STRIPE | {"secret": "sk_live_real"}
    answer = fay.post("/treasury/rails?act=connect-stripe", wrong)
    assert "begins with sk_test_ or rk_test_" in answer.content.decode()
    assert "sk_live_real" not in answer.content.decode()
    answer = fay.post("/treasury/rails?act=connect-stripe", STRIPE, follow=True)
    shown = answer.content.decode()
    assert "switched off" in shown and "play money" in shown
    assert "sk_test_fake" not in shown and "whsec_very_secret" not in shown
    assert f"/webhooks/{RailAccount.objects.get().webhook_key}" in shown
    path = "/treasury/rails/cards"
    assert "takes the secret" in fay.post(f"{path}?act=test", follow=True).content.decode()
    assert fay.post(f"{path}?act=collect", {}).status_code == 403
    fay.post(f"{path}?act=on", {"reason": "agents need funds"})
    approve(Approval.objects.get(kind="rail"))
    asked = {"amount": "12.30", "purpose": "Funds for agents"}
    asked["key"] = "5b0d8c1e-7b0f-4f5e-9f0c-0123456789ab"
    for _ in range(2):
        fay.post(f"{path}?act=collect", asked)
    collection = Collection.objects.get()
    shown = page(fay, path)
    assert f'href="/treasury/collections/{collection.pk}"' in shown and "$12.30" in shown
    shown = page(fay, f"/treasury/collections/{collection.pk}")
    assert "the money is on the rail" in shown and "rail:cards" in shown and "play money" in shown
    account = Account.objects.get(name="rail:cards")
    assert "play money" in page(fay, f"/treasury/accounts/{account.pk}")
    gives_back(fay, collection)
    fay.post(f"{path}?act=off", {"reason": "done"})
    assert "Switch on" in page(fay, path)


def gives_back(fay, collection):
    """A part of it, asked for on its page; a second click changes nothing."""
    path = f"/treasury/collections/{collection.pk}"
    assert 'value="12.30"' in page(fay, f"{path}?act=refund")
    asked = {"amount": "2.30", "reason": "twice", "key": "5b0d8c1e-7b0f-4f5e-9f0c-0123456789ac"}
    too_much = fay.post(f"{path}?act=refund", asked | {"amount": "12.31"})
    assert "12.30 USD of it can be refunded at most" in too_much.content.decode()
    for _ in range(2):
        fay.post(f"{path}?act=refund", asked)
    refund = Refund.objects.get()
    assert f'href="/treasury/refunds/{refund.pk}"' in page(fay, path)
    treasury.advance_refund(refund.pk, now=timezone.now())
    shown = page(fay, f"/treasury/refunds/{refund.pk}")
    assert "the money is back" in shown and "reverses transfer" in shown
    assert fay.post(f"/treasury/refunds/{refund.pk}?act=cancel", {}).status_code == 403
    assert signed_in("vic", role="viewer").get(f"/treasury/refunds/{refund.pk}").status_code == 403


def test_an_error_of_the_vendor_is_shown(vendor):
    account = add_rail(secret="sk_test_wrong")
    fay = signed_in("fay", role="finance")
    path = f"/treasury/rails/{account.pk}"
    fay.post(f"{path}?act=test")
    assert 'role="alert"' in page(fay, path) and "Invalid API Key" in page(fay)
    assert "Enter a secret" in fay.post(f"{path}?act=secret", {}).content.decode()
    fay.post(f"{path}?act=secret", {"secret": "sk_test_fake"})
    assert 'role="alert"' not in page(fay, path)
    fay.post(f"{path}?act=settings", SETTINGS | {"customer": "cus_7"})
    assert "cus_7" in page(fay, path)
    RejectedWebhooks.objects.create(
        rail_account=account, day="2999-01-01", reason="stale", count=3, last_at=NOON
    )
    assert "3: It was signed too long ago." in page(fay, path)


@pytest.mark.parametrize(
    ("role", "reads", "manages"),
    [
        ("finance", 200, True),
        ("approver", 200, False),
        ("auditor", 200, False),
        ("operator", 403, False),
        ("viewer", 403, False),
    ],
)
def test_who_may_see_and_change_rails(vendor, role, reads, manages):
    switch_on(add_rail())
    add_paypal()
    client = signed_in("rita", role=role)
    for path in ("/treasury/rails", "/treasury/rails/stripe"):
        assert client.get(path).status_code == reads
    for act in ("collect", "test", "secret", "settings", "on", "nothing", "off"):
        answer = client.post(f"/treasury/rails/stripe?act={act}", {"reason": "x"})
        assert (answer.status_code != 403) is (manages and act not in ("nothing", "on"))
    answer = client.post("/treasury/rails?act=connect-stripe", STRIPE)
    assert (answer.status_code == 403) is not manages
    assert RailAccount.objects.filter(pk="cards").exists() is manages


def test_the_pages_take_few_queries(vendor, django_assert_max_num_queries):
    switch_on(add_rail())
    client = signed_in("fay", role="finance")
    for path in ("/treasury/rails", "/treasury/rails/stripe"):
        with django_assert_max_num_queries(20):
            client.get(path)


def test_the_table_is_exported(people):
    add_rail()
    answer = signed_in("fay", role="finance").get("/treasury/rails?format=csv&table=rails")
    assert answer.status_code in (200, 302)


def test_there_is_no_page_of_a_rail_that_is_not_there(people):
    client = signed_in("fay", role="finance")
    assert client.get("/treasury/rails/nothing").status_code == 404
    assert client.get("/treasury/collections/7").status_code == 404
