"""Settled work becomes rows, rows become versions, and budgets follow the version in use."""

from datetime import timedelta

import numpy as np
import pytest

from keys import services as keys
from keys.models import CostCentre
from keys.refusals import IdempotencyMismatch, NoKeyCapacity
from prediction import centre_shares, in_use
from prediction import services as prediction
from prediction.learning.codec import to_json
from prediction.learning.rows import Group
from prediction.models import (
    Forecast,
    ForecastModel,
    ForecastModelContent,
    SettledWork,
    StoredSketch,
)
from prediction.queries.coverage import coverage
from prediction.queries.training_rows import training_rows
from prediction.services import text_budget
from prediction.sketches import pack, sketch, unpack
from security.models import AuditEntry
from tests.actors import ACTOR, GRACE
from tests.keys.builders import add_key, complete, hold, settle
from tests.moments import NOON

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(hours=1)
ADA = Group("", "ada", "report")


def size(text):
    return prediction.size_budget(text, agent="ada", cost_centre=None, group=ADA)


def lend(sized, tokens=None, key=None):
    request = keys.AllocationRequest(tokens=tokens or sized.tokens, sized_by=sized.sized_by)
    return keys.allocate(
        agent="ada",
        request=request,
        idempotency_key=key,
        session_id=sized.session_id,
        lend_by=sized.lend_by,
        actor=ACTOR,
        now=NOON,
    )


def work(text, tokens, *, budget=None, end=complete, calls=2):
    """Work that a text was forecast for, from the forecast to its end."""
    allocation, _ = lend(size(text), budget or 10 * tokens)
    for _ in range(calls):
        charge = hold(allocation, tokens // calls)
        settle(charge, tokens // calls - 1, output_tokens=1)
    end(allocation)
    return allocation


@pytest.fixture
def office(people):
    add_key("nvidia-1", per_day=10**9)


@pytest.fixture
def history(office):
    """30 reports: those about ledgers need 40,000 tokens, the others 4,000."""
    for number in range(32):
        word = "ledger" if number % 2 else "invoice"
        tokens = 40_000 if number % 2 else 4_000 + number
        work(f"Report on the {word} of month {number}", tokens, calls=1)
    assert prediction.record_settled_work(now=NOON) == 32
    version = prediction.train_model(now=LATER)
    in_use.forget()
    return version


def test_work_that_ended_is_recorded_once_with_what_was_known_before(office):
    allocation = work("Draft the plan", 5_000)
    assert prediction.record_settled_work(now=NOON) == 1
    assert prediction.record_settled_work(now=NOON) == 0
    row = SettledWork.objects.get()
    assert (row.tokens, row.calls, row.output_tokens, row.censored) == (5_000, 2, 2, False)
    assert (row.kind, row.agent, row.allocation_id) == ("report", "ada", allocation.pk)
    assert bytes(row.text_digest) == sketch("draft the  PLAN").digest
    assert row.rule_tokens == prediction.estimate("Draft the plan").estimated
    assert row.p90 is None


def test_work_that_used_up_its_budget_or_was_given_up_is_a_lower_bound(office):
    def fail(allocation):
        keys.fail(allocation_id=allocation.pk, reason="no", actor=ACTOR, now=NOON)

    work("Short of tokens", 5_000, budget=5_100)
    work("Given up", 5_000, end=fail)
    work("Done", 5_000)
    prediction.record_settled_work(now=NOON)
    assert SettledWork.objects.filter(censored=True).count() == 2


def test_a_version_is_learned_and_used_and_says_of_what(history):
    assert (history.rows, history.texts, history.status) == (32, 32, "ready")
    assert history.scores["rows"] == 32
    assert ForecastModel.objects.get(in_use=True) == history
    entry = AuditEntry.objects.get(action="forecast_model.use")
    assert entry.after == {"version": history.pk}
    found = prediction.forecast("Report on the ledger of month 99", ADA)
    assert found.version == history.pk and found.basis in ("text", "near")
    assert found.p50 <= found.p90 <= found.p99
    assert "32" in found.explanation or "settled" in found.explanation
    same = prediction.forecast("Report on the ledger of month 1", ADA)
    assert same.basis == "exact" and same.p50 > 10_000


def test_a_budget_is_sized_by_the_quantile_that_its_cost_centre_wants(history, monkeypatch):
    monkeypatch.setattr(text_budget, "PROBES_PER_1000", 0)
    text = "Report on the invoice of month 0"
    found = prediction.forecast(text, ADA)
    assert size(text).tokens == found.p90
    for share, tokens in (("p50", found.p50), ("p99", found.p99), ("rule", found.rule.estimated)):
        prediction.set_share("org", share=share, reason="try", actor=GRACE, now=NOON)
        centre_shares.forget()
        assert size(text).tokens == tokens
    assert AuditEntry.objects.filter(action="forecast_share.set").count() == 3
    assert CostCentre.objects.get(pk="org")


def test_the_same_idempotency_key_is_the_same_budget_after_another_version(history):
    text = "Report on the ledger of month 3"
    first, _ = lend(size(text), key="once")
    prediction.activate(None, actor=GRACE, reason="compare", now=LATER)
    in_use.forget()
    other = size(text)
    assert other.tokens == prediction.estimate(text).estimated != first.allocated
    assert lend(other, key="once") == (first, False)
    assert Forecast.objects.get(session_id=first.session_id).version_id == history.pk
    with pytest.raises(IdempotencyMismatch):
        lend(size("Another text"), first.allocated, key="once")


def test_a_forecast_is_kept_with_its_budget_or_not_at_all(office):
    with pytest.raises(NoKeyCapacity):
        lend(size("Draft the plan"), 10**10)
    assert not Forecast.objects.exists() and not StoredSketch.objects.exists()
    lent, _ = lend(size("Draft the plan"))
    kept = Forecast.objects.get()
    assert (kept.session_id, kept.tokens, kept.agent) == (lent.session_id, lent.allocated, "ada")
    assert kept.created_at == NOON


def test_rolling_back_takes_an_earlier_version_and_says_why(history):
    later = prediction.train_model(now=LATER + timedelta(hours=1))
    assert ForecastModel.objects.get(in_use=True) == later
    prediction.activate(history.pk, actor=GRACE, reason="worse", now=LATER)
    assert ForecastModel.objects.get(in_use=True) == history
    assert AuditEntry.objects.filter(reason="worse", actor_name="grace").count() == 1
    # An older version stays in use until somebody chooses another; the newest one is followed.
    newest = prediction.train_model(now=LATER + timedelta(hours=2))
    assert ForecastModel.objects.get(in_use=True) == history
    prediction.activate(newest.pk, actor=GRACE, reason="better", now=LATER)
    next_one = prediction.train_model(now=LATER + timedelta(hours=3))
    assert ForecastModel.objects.get(in_use=True) == next_one
    prediction.activate(None, actor=GRACE, reason="neither", now=LATER)
    prediction.train_model(now=LATER + timedelta(hours=4))
    assert not ForecastModel.objects.filter(in_use=True).exists()
    with pytest.raises(prediction.VersionNotReady):
        prediction.activate(10**6, actor=GRACE, reason="none", now=LATER)


def test_a_broken_version_is_left_out_and_the_rule_goes_on(history):
    broken = ForecastModel.objects.create(status="ready", started_at=LATER)
    ForecastModelContent.objects.create(version=broken, data={"format": 1})
    prediction.activate(broken.pk, actor=GRACE, reason="try", now=LATER)
    in_use.forget()
    assert prediction.forecast("Report on the ledger", ADA).basis == "rule"


def test_too_little_work_teaches_nothing(office):
    assert prediction.train_model(now=LATER) is None
    work("Only this", 5_000)
    prediction.record_settled_work(now=NOON)
    assert prediction.train_model(now=LATER) is None
    assert not ForecastModel.objects.exists()
    found = prediction.forecast("Only this", ADA)
    assert (found.basis, found.p90, found.p50) == ("rule", None, found.rule.estimated)


def test_nothing_is_learned_of_the_future(history):
    assert len(training_rows(until=NOON).rows) == 0
    assert len(training_rows(until=LATER).rows) == 32


def test_a_training_that_was_killed_counts_as_failed_and_the_next_one_goes_on(history):
    killed = ForecastModel.objects.create(started_at=LATER)
    assert prediction.train_model(now=LATER + timedelta(minutes=1)) is None
    assert prediction.train_model(now=LATER + timedelta(hours=1)).status == "ready"
    killed.refresh_from_db()
    assert (killed.status, killed.in_use) == ("failed", False)


def test_what_was_forecast_is_compared_with_what_came_of_it(history):
    in_use.forget()
    for number in range(4):
        work(f"Report on the invoice of month {number * 2}", 4_000, budget=10**6)
    work("Report on the invoice of month 2", 10**6, budget=10**7)
    prediction.record_settled_work(now=NOON)
    assert coverage(agent="ada") == (5, 0.8)
    assert coverage(agent="carol") == (0, None)


def test_a_sketch_is_packed_and_a_damaged_one_is_left_out(office):
    made = sketch("Compare the two vendors, then write the report.\n- one\n- two")
    data = pack(made)
    again = unpack(made.digest, data)
    assert np.array_equal(again.terms.buckets, made.terms.buckets)
    assert np.array_equal(again.counts, made.counts) and np.array_equal(again.bands, made.bands)
    assert unpack(b"", data[:-1]) is None and unpack(b"", b"") is None
    assert unpack(b"", bytes([9]) + data[1:]) is None
    lend(size("one text")), lend(size("one  TEXT"))
    assert StoredSketch.objects.count() == 1


def test_what_is_stored_can_be_read_by_people(history):
    data = ForecastModelContent.objects.get(pk=history.pk).data
    assert sorted(data) == sorted(to_json(in_use.in_use().forecaster))
    assert data["rows"] == 32
