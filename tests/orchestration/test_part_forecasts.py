"""Parts are estimated by what was learned, where it is."""

from datetime import timedelta

import pytest

from orchestration.queries.plans import plan_preview
from orchestration.services import TaskRequest, plan
from prediction import in_use
from prediction import services as prediction
from prediction.models import Forecast
from tests.actors import ACTOR
from tests.keys.builders import PAID, add_key, allocate, complete, hold, settle
from tests.moments import NOON

pytestmark = pytest.mark.django_db

REQUEST = TaskRequest(
    name="Books",
    description="- Audit the ledger of March\n- File the invoice of March",
    total_budget=1_000_000,
    parallel=True,
)


@pytest.fixture
def learned(people):
    """Audits of ledgers need 40,000 tokens, invoices 2,000."""
    add_key("openai-1", provider="openai", rates=PAID, per_day=10**9)
    group = prediction.Group("", "ada", f"part:{REQUEST.runner}")
    for number in range(40):
        text, tokens = ("Audit the ledger", 40_000) if number % 2 else ("File the invoice", 2_000)
        allocation = allocate(tokens=10 * tokens)
        prediction.record_forecast(
            f"{text} of month {number}", agent="ada", session_id=allocation.session_id,
            group=group, tokens=allocation.allocated, now=NOON,
        )  # fmt: skip
        settle(hold(allocation, tokens), tokens - number)
        complete(allocation)
    prediction.record_settled_work(now=NOON)
    prediction.train_model(now=NOON + timedelta(hours=1))
    in_use.forget()
    yield
    prediction.activate(None, actor=ACTOR, reason="end", now=NOON)
    in_use.forget()


def test_the_split_and_the_preview_follow_what_was_learned(learned):
    audit, invoice = plan(REQUEST, agent="ada").shares
    assert audit > 3 * invoice
    preview = plan_preview(agent="ada", request=REQUEST, now=NOON)
    first, second = preview.parts
    assert first.forecast.p90 >= first.forecast.p50 == first.part.estimated_tokens
    assert preview.cost < preview.cost_p90 <= first.cost_p90 + second.cost_p90
    assert preview.uncertain_part in (first.part.key, second.part.key)


def test_estimates_of_callers_stay(learned):
    given = [{"description": "Audit the ledger", "estimated_tokens": 5}, {"description": "File it"}]
    planned = plan(TaskRequest(name="Books", sub_tasks=given, total_budget=10_000), agent="ada")
    assert [part.estimated_tokens for part in planned.parts] == [5, 1_000]
    assert not planned.forecasts


def test_without_settled_work_parts_are_estimated_by_their_words(people):
    in_use.forget()
    planned = plan(REQUEST, agent="ada")
    assert {part.estimated_tokens for part in planned.parts} == {1_000}
    preview = plan_preview(agent="ada", request=REQUEST, now=NOON)
    assert (preview.cost_p90, preview.uncertain_part) == (None, "")
    assert not Forecast.objects.exists()
