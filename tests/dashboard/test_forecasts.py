"""The page of forecasts: what is in use, how it did, another version with a reason, who may."""

from datetime import timedelta

import pytest

from dashboard.forecasts.drift_chart import drift_chart
from dashboard.forecasts.reliability_chart import reliability_chart
from keys.models import Allocation
from prediction import centre_shares, in_use
from prediction.models import (
    CentreForecast,
    Forecast,
    ForecastModel,
    ForecastModelContent,
    SettledWork,
)
from prediction.queries.calibration import (
    Forecasted,
    outcome,
    outcomes_over_time,
    reliability,
    within_quantile,
)
from security.models import AuditEntry
from tests.dashboard.test_agents import signed_in
from tests.keys.builders import add_key, allocate, complete
from tests.moments import NOON

pytestmark = pytest.mark.django_db
PATH = "/reports/forecasts"


@pytest.fixture(autouse=True)
def nothing_kept():
    yield
    in_use.forget()
    centre_shares.forget()


def version(**changes):
    scores = {"pinball_p50": 0.93, "pinball_p90": 0.9, "coverage_p90": 0.9, "mdape": 0.41}
    made = ForecastModel.objects.create(
        status="ready", started_at=NOON, trained_at=NOON, rows=1_234, scores=scores, **changes
    )
    ForecastModelContent.objects.create(version=made, data={})
    return made


def settled(tokens, agent="ada", *, censored=False):
    """Work that was forecast to need 1,000 tokens, at most 3,000."""
    allocation = complete(allocate(agent))
    SettledWork.objects.create(
        allocation=Allocation.objects.get(pk=allocation.pk),
        settled_at=NOON + timedelta(seconds=allocation.pk),
        agent=agent,
        cost_centre=allocation.cost_centre_id,
        model="model-1",
        kind="report",
        p50=1_000,
        p90=3_000,
        tokens=tokens,
        calls=2,
        input_tokens=tokens,
        output_tokens=0,
        reasoning_tokens=0,
        censored=censored,
    )


def page(client, path=PATH):
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_without_versions_it_says_what_goes_on(people):
    shown = page(signed_in("vera", role="viewer"))
    assert "The rule of words is in use" in shown
    assert "Nothing was learned yet" in shown
    assert "act=use" not in shown


def test_forecasts_are_shown_beside_what_came_of_them(people):
    add_key("nvidia-1")
    version(in_use=True)
    for tokens in (500, 900, 2_000, 9_000):
        settled(tokens)
    settled(700, "carol")
    shown = page(signed_in("vera", role="viewer"))
    assert "is in use" in shown and "1,234 pieces of work" in shown
    assert "Of the newest 5, 60.0 of 100 did not" in shown
    assert "Of the newest 5, 80.0 of 100 did not" in shown
    assert "Above P90 by 200 %" in shown
    bound = page(signed_in("ruth", role="viewer", of="research"))
    assert "Of the newest 4" in bound and "carol" not in bound


def test_an_operator_uses_an_earlier_version_with_a_reason(people):
    earlier, later = version(), version(in_use=True)
    olga = signed_in("olga", role="operator")
    assert f'value="{earlier.pk}"' in page(olga, f"{PATH}?act=use")
    assert olga.post(f"{PATH}?act=use", {"version": earlier.pk}).status_code == 200
    asked = {"version": earlier.pk, "reason": "worse since"}
    assert olga.post(f"{PATH}?act=use", asked).status_code == 302
    assert ForecastModel.objects.get(in_use=True) == earlier
    entry = AuditEntry.objects.get(action="forecast_model.use")
    assert (entry.actor_name, entry.reason) == ("olga", "worse since")
    assert entry.before == {"version": later.pk}
    olga.post(f"{PATH}?act=use", {"version": "rule", "reason": "compare"})
    assert not ForecastModel.objects.filter(in_use=True).exists()
    vera = signed_in("vera", role="viewer")
    assert vera.post(f"{PATH}?act=use", asked).status_code == 403


def test_an_operator_says_by_which_quantile_a_cost_centre_sizes_budgets(people):
    olga = signed_in("olga", role="operator")
    asked = {"cost_centre": "research", "share": "p99", "reason": "never cut off"}
    assert olga.post(f"{PATH}?act=share", asked).status_code == 302
    assert CentreForecast.objects.get().share == "p99"
    assert "(p99)" in page(olga, f"{PATH}?act=share")
    olga.post(f"{PATH}?act=share", {**asked, "share": ""})
    assert not CentreForecast.objects.exists()


def test_work_that_was_cut_off_counts_only_where_it_exceeded():
    found = [
        Forecasted("m", "a", "k", 10, 30, tokens, cut)
        for tokens, cut in ((5, False), (20, False), (20, True), (40, True))
    ]
    assert outcome(found) == (4, 1 / 4, 2 / 3, 0.75, 0.5)
    assert outcome([]) == (0, None, None, None, 0.0)


def test_every_quantile_is_compared_with_what_it_promised(people):
    # Between P50 and P90, P80 is at 10 × 10 ^ (0.8416 / 1.2816) = 45.4 tokens.
    made = [
        Forecasted("m", "ada", "report", 10, 100, tokens, False, p99)
        for tokens, p99 in ((10, 900), (45, 900), (46, 900), (100, None), (901, 900))
    ]
    held = dict(reliability(made))
    assert (held[0.5], held[0.8], held[0.9], held[0.99]) == (1 / 5, 2 / 5, 4 / 5, 3 / 4)
    assert within_quantile([], 0.9) is None
    assert [share for share, _ in reliability(made)] == sorted(held)
    assert reliability_chart(made * 10).svg.count("polyline") >= 2
    assert reliability_chart(made * 9) is None


def test_the_p99_that_was_stored_is_shown(people):
    add_key("nvidia-1")
    for tokens in (500, 9_000):
        settled(tokens)
    vera = signed_in("vera", role="viewer")
    assert "P99: 99 of 100 should need no more. No such work" in page(vera)
    for allocation in Allocation.objects.all():
        Forecast.objects.create(
            session_id=allocation.session_id,
            agent="ada",
            text_digest=b"a" * 16,
            rule_tokens=5,
            basis="text",
            p50=1_000,
            p90=3_000,
            p99=8_000,
            tokens=3_000,
            created_at=NOON,
        )
    assert "50.0 of 100 did not" in page(vera).split("P99: 99 of 100")[1][:120]


def test_what_held_over_time_is_drawn_beside_what_was_promised():
    held, above = (Forecasted("m", "ada", "report", 10, 30, each, False) for each in (10, 31))
    # The newest first: of the newest 50 half were above, of those before none.
    newest = [above] * 25 + [held] * 25 + [held] * 50
    assert [each.within_p90 for each in outcomes_over_time([*newest, above], size=50)] == [1, 0.5]
    chart = drift_chart(newest)
    assert chart.svg.count("polyline") >= 4
    assert drift_chart(newest[:99]) is None
