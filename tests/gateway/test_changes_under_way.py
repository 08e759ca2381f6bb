"""A call that is under way ends as it began, while its key, price and limits are changed."""

import threading

import pytest
from django.utils import timezone

from keys import services as keys
from keys.models import ApiKey, Charge, CostCentre
from keys.supply.pricing import Rates
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.gateway.server import answer_of, gateway_on, lend, supply
from tests.keys.builders import PAID, limit
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("stream", [True, False])
def test_a_call_is_paid_at_its_price_and_the_next_one_goes_elsewhere(sandbox, settings, stream):
    """O46."""
    said = f"[[sandbox output=20 {'slow_ms=20' if stream else 'latency_ms=400'}]]"
    with gateway_on(sandbox, settings) as gateway:
        supply("key-1", "key-2", rates=PAID)
        session = lend(gateway.url)
        way, answers = session.open(session.body(said, stream=stream)), []
        reader = threading.Thread(target=lambda: answers.append(answer_of(way)))
        reader.start()
        wait_until(lambda: sandbox.under_way() and Charge.objects.filter(status="held").exists())
        by = {"actor": ACTOR, "now": timezone.now()}
        dearer = Rates(input=PAID.input * 100, output=PAID.output * 100)
        keys.set_price("key-1", rates=dearer, reason="dearer", **by)
        for subject in (ApiKey.objects.get(pk="key-1"), CostCentre.objects.get(pk="org")):
            limit(subject, 1, now=by["now"])
        keys.set_key_status("key-1", status="inactive", reason="off", **by)
        assert Charge.objects.get().status == "held"
        reader.join()
        charge = Charge.objects.get()
        assert (answers[0].status, answers[0].whole) == (200, True)
        assert (charge.status, charge.basis, charge.api_key_id) == ("settled", "provider", "key-1")
        assert charge.cost == (6 * PAID.input + 20 * PAID.output) / 1000
        # Lent before the limit fell, it can still be used, but not on the key that is off.
        assert session.call().headers["x-butler-key-id"] == "key-2"
    assert_books_balance()
