"""A settlement that fails is tried again until it succeeds, and people hear of it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection

from alerts.models import Alert
from keys.models import Charge, Window
from tests.books import assert_books_balance
from tests.gateway.server import gateway_on, lend, supply
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def poisoned(output_tokens: int):
    """The database refuses to settle a call with so many output tokens."""
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE keys_charge ADD CONSTRAINT poison "
            f"CHECK (status <> 'settled' OR output_tokens <> {output_tokens}) NOT VALID"
        )
        try:
            yield
        finally:
            cursor.execute("ALTER TABLE keys_charge DROP CONSTRAINT poison")


@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_settlement_that_fails_is_tried_again_and_the_others_are_not_kept(
    wire_format, stream, sandbox, settings
):
    supply("key-1")
    with gateway_on(sandbox, settings) as gateway, ThreadPoolExecutor(8) as threads:
        session = lend(gateway.url, wire_format=wire_format)
        with poisoned(13):
            asked = [f"hi [[sandbox output={output}]]" for output in (13, 5, 6, 7, 8)]
            answers = list(threads.map(lambda said: session.call(said, stream=stream), asked))
            assert [(answer.status, answer.whole) for answer in answers] == [(200, True)] * 5
            kept = Charge.objects.get(status="held")
            assert kept.pk == int(answers[0].headers["x-butler-charge-id"])
            wait_until(lambda: Alert.objects.filter(kind="settlement_failed").exists())
            if not stream:
                assert answers[0].headers["x-butler-cost"] == format(kept.held_cost, "f")
        wait_until(lambda: not Charge.objects.filter(status="held").exists())
    assert set(Charge.objects.values_list("status", "basis")) == {("settled", "provider")}
    assert set(Charge.objects.values_list("output_tokens", flat=True)) == {13, 5, 6, 7, 8}
    alert = Alert.objects.get()
    assert (alert.key_id, alert.facts) == (
        "key-1",
        {"charge": kept.pk, "error": "IntegrityError"},
    )
    assert_books_balance()


@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_window_with_more_than_a_quadrillion_tokens_still_counts(
    wire_format, stream, sandbox, settings
):
    supply("key-1")
    with gateway_on(sandbox, settings) as gateway:
        session = lend(gateway.url, wire_format=wire_format)
        windows = Window.objects.filter(scope="key:key-1", unit="tokens")
        windows.update(used=10**15 - 1)
        answer = session.call("hi [[sandbox output=5]]", stream=stream)
        assert (answer.status, answer.whole) == (200, True)
        charge = Charge.objects.get()
        assert (charge.status, charge.basis) == ("settled", "provider")
        assert windows.get().used == 10**15 - 1 + charge.tokens
