"""Calls that the provider is asked for by their ids: what they explain, and what is asked."""

from datetime import timedelta
from decimal import Decimal
from importlib import import_module

import pytest
from django_q.models import OrmQ
from hypothesis import given
from hypothesis import strategies as st

from common import addresses
from common.file_text import UnreadableError
from keys import services as keys
from keys.models import Provider
from tests.actors import ACTOR
from tests.dashboard.test_agents import signed_in
from tests.keys.builders import PAID, add_key, allocate, hold, make_people
from tests.moments import NOON
from tests.treasury.fake_vendor import LostError, fake_vendor
from treasury import jobs
from treasury import services as treasury
from treasury.models import Difference, ProviderReport, ReportAccess
from treasury.reconciliation.asked_calls import explain_by_calls
from treasury.reconciliation.differences import Difference as Found
from treasury.reconciliation.differences import Group, Names, OwnCall, Tolerance
from treasury.reconciliation.lines import Line
from treasury.reconciliation.reports import read_lines
from treasury.reconciliation.reports.openrouter import pack_generation

TODAY = NOON.date()
SECRET = "sk-or-mgmt-0000"
PATH = "/generation"


@pytest.fixture
def openrouter(db, settings):
    """`openrouter.calls`: what a call of an id cost, or the status of the answer; others are not
    known. `openrouter.models`: the model by id."""
    settings.PROVIDER_NETWORKS = addresses.networks(["127.0.0.0/8"])
    Provider.objects.get_or_create(pk="openrouter", defaults={"name": "OpenRouter"})
    make_people()
    add_key("openrouter-1", rates=PAID, provider="openrouter")

    def answer(asked):
        assert asked.path == PATH and asked.headers["authorization"] == f"Bearer {SECRET}"
        told = vendor.calls.get(asked.query["id"], 404)
        if told == "lost":
            raise LostError
        if isinstance(told, bytes):
            return 200, told
        if isinstance(told, int):
            return told, {"error": {"code": told, "message": "no"}}
        return 200, generation(asked.query["id"], told, vendor.models)

    with fake_vendor(answer) as vendor:
        vendor.calls, vendor.models = {}, {}
        treasury.set_report_access(
            "openrouter",
            source="openrouter",
            base_url=vendor.url,
            secret=SECRET,
            since=TODAY - timedelta(days=1),
            reason="x",
            actor=ACTOR,
            now=NOON,
        )
        yield vendor


def generation(name, cost, models):
    return {
        "data": {
            "id": name,
            "total_cost": float(cost),
            "usage": float(cost),
            "created_at": f"{TODAY}T11:59:58.433273+00:00",
            "model": models.get(name, "model-1"),
            "provider_name": "Infermatic",
            "native_tokens_prompt": 100,
            "is_byok": False,
        }
    }


def spend(name, tokens=100_000):
    """What a call cost."""
    charge = hold(allocate(tokens=200_000), tokens)
    usage = keys.Usage(input_tokens=tokens)
    settled = keys.Settlement(charge, "settled", usage, provider_request_id=name)
    keys.settle_many([settled], now=NOON)
    charge.refresh_from_db()
    return charge.cost


def bill(*rows):
    """The day as OpenRouter's activity has it: model, cost, requests and tokens."""
    data = ", ".join(
        f'{{"date": "{TODAY}", "model": "{model}", "usage": {usage}, "requests": {count},'
        f' "prompt_tokens": {tokens}, "completion_tokens": 0}}'
        for model, usage, count, tokens in rows
    )
    file = treasury.ReportFile(
        provider="openrouter",
        format="openrouter_activity",
        content=f'{{"data": [{data}]}}'.encode(),
    )
    treasury.import_report(file, actor=ACTOR, now=NOON)


def compare():
    treasury.reconcile("openrouter", since=TODAY, until=TODAY, actor=ACTOR, now=NOON)
    return told()


def told():
    rows = Difference.objects.filter(status="open").order_by("kind", "request_id")
    return [(row.kind, row.request_id, row.own, row.theirs) for row in rows]


def fetch():
    """Ask for the calls of the one difference that can be explained by them."""
    rows = Difference.objects.order_by("pk")
    return treasury.fetch_calls(
        next(row.pk for row in rows if treasury.can_ask_calls(row)), now=NOON
    )


def test_a_price_is_found_in_the_call_which_can_be_adjusted(openrouter):
    first, second = spend("gen-1"), spend("gen-2")
    bill(("model-1", first + 2 * second, 2, 200_000))
    assert compare() == [("price", "", first + second, first + 2 * second)]
    openrouter.calls = {"gen-1": first, "gen-2": 2 * second}
    assert fetch() == 2
    assert told() == [("price", "gen-2", second, 2 * second)]
    assert Difference.objects.filter(status="gone").count() == 1
    report = ProviderReport.objects.get(format="openrouter_generation")
    assert b'"provider_name": "Infermatic"' in bytes(report.content)
    assert (report.since, report.until, report.line_count) == (TODAY, TODAY, 2)
    # The charge counts for what the provider says, and then both sides agree.
    treasury.adjust_difference(
        Difference.objects.get(status="open").pk, reason="by the provider", actor=ACTOR, now=NOON
    )
    assert compare() == []


def test_a_call_that_the_provider_does_not_know_is_missing(openrouter):
    first, second = spend("gen-1"), spend("gen-2", 50_000)
    bill(("model-1", first, 1, 100_000))
    assert compare() == [("missing_call", "", first + second, first)]
    openrouter.calls = {"gen-1": first}
    assert fetch() == 2
    assert told() == [("missing_call", "gen-2", second, 0)]
    assert "does not know request gen-2" in Difference.objects.get(status="open").evidence


def test_a_call_under_another_name_explains_both_sums(openrouter):
    first, second = spend("gen-1"), spend("gen-2", 50_000)
    bill(("model-1", first, 1, 100_000), ("other/model", second, 1, 50_000))
    assert [each[0] for each in compare()] == ["missing_call", "missing_call"]
    openrouter.calls, openrouter.models = (
        {"gen-1": first, "gen-2": second},
        {"gen-2": "other/model"},
    )
    fetch()
    assert told() == [("other_name", "gen-2", second, second)]
    assert Difference.objects.get(status="open").their_model == "other/model"


def test_what_calls_do_not_explain_stays_a_difference_of_the_sum(openrouter):
    first, second = spend("gen-1"), spend("gen-2")
    bill(("model-1", 3 * first + second, 2, 200_000))
    compare()
    openrouter.calls = {"gen-1": 2 * first, "gen-2": second}
    fetch()
    assert told() == [("price", "", second, first + second), ("price", "gen-1", first, 2 * first)]


FAILURES = (
    (401, "HTTP 401"),
    (429, "HTTP 429"),
    (500, "HTTP 500"),
    ("lost", "did not answer: ConnectionError"),
    (b"<html>", "no JSON"),
    (b'{"data": {"id": "gen-9"}}', "of another call"),
    (b'{"data": null}', "the field id is missing"),
    (b"x" * 20_000_001, "AnswerTooLarge"),
)


def test_what_fails_is_told_and_ends_the_asking_with_what_there_is(openrouter):
    first, second = spend("gen-1"), spend("gen-2", 90_000)
    bill(("model-1", 2 * (first + second), 1, 190_000))
    compare()
    openrouter.calls = {"gen-1": 2 * first, "gen-2": 503}
    assert fetch() == 1
    before = told()
    assert ("price", "gen-1", first, 2 * first) in before
    for failure, words in FAILURES:
        openrouter.calls["gen-2"], asked = failure, len(openrouter.asked)
        # Only the other one is asked for again, and nothing of what is known is lost.
        assert fetch() == 0 and len(openrouter.asked) == asked + 1
        assert words in ReportAccess.objects.get().error
        assert told() == before
    openrouter.calls["gen-2"] = 2 * second
    assert fetch() == 1
    assert ProviderReport.objects.filter(format="openrouter_generation").first().line_count == 2


def test_the_dearest_are_asked_for_once_and_no_more_than_so_many_of_a_day(openrouter, monkeypatch):
    # The package has a function of this name.
    monkeypatch.setattr(import_module("treasury.services.fetch_calls"), "CALLS_A_DAY", 2)
    costs = [
        spend(f"gen-{number}", tokens) for number, tokens in enumerate([10_000, 90_000, 50_000])
    ]
    bill(("model-1", 5 * sum(costs), 3, 149_000))
    compare()
    assert fetch() == 2
    assert [each.query["id"] for each in openrouter.asked] == ["gen-1", "gen-2"]
    compare()
    assert fetch() == 0 and len(openrouter.asked) == 2


def test_only_open_differences_of_sums_are_asked_about(openrouter):
    cost = spend("gen-1")
    bill(("model-1", 2 * cost, 1, 90_000))
    compare()
    row = Difference.objects.get()
    treasury.remove_report_access("openrouter", reason="x", actor=ACTOR, now=NOON)
    assert not treasury.can_ask_calls(row) and treasury.fetch_calls(row.pk, now=NOON) == 0
    treasury.explain_difference(row.pk, reason="x", actor=ACTOR, now=NOON)
    row.refresh_from_db()
    assert not treasury.can_ask_calls(row) and not openrouter.asked


def test_finance_has_it_asked_on_the_page(openrouter):
    cost = spend("gen-1")
    bill(("model-1", 2 * cost, 1, 100_000))
    compare()
    row = Difference.objects.get()
    path = f"/treasury/reconciliation/{row.pk}"
    fay, al = signed_in("fay", role="finance"), signed_in("al", role="auditor")
    assert "Ask for the calls" in fay.get(path).content.decode()
    assert "Ask for the calls" not in al.get(path).content.decode()
    assert al.post(f"{path}?act=calls").status_code == 403
    assert fay.post(f"{path}?act=calls").status_code == 302
    assert OrmQ.objects.count() == 1 and not openrouter.asked
    openrouter.calls = {"gen-1": 2 * cost}
    assert jobs.fetch_calls_of(row.pk) == 1
    assert "Ask for the calls" not in fay.get(path).content.decode()


# ---- What calls explain --------------------------------------------------------------------------

GROUP, OTHER = Group(TODAY, "", "model-1"), Group(TODAY, "", "model-2")
NONE = Tolerance(Decimal(0), Decimal(0))


def found(group, own, theirs, kind="unexplained"):
    return Found(kind, group, Decimal(own), Decimal(theirs), "…")


def line(number, amount, model="model-1"):
    kind = "cost" if amount is not None else "calls"
    return Line(TODAY, "", model, kind, None, amount, request_id=f"gen-{number}")


def own_call(number, cost):
    return OwnCall(f"gen-{number}", number, Group(TODAY, "openrouter-1", "model-1"), Decimal(cost))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 9),
            st.none() | st.integers(0, 9),
            st.sampled_from(["model-1", "model-2"]),
        ),
        max_size=6,
    ),
    st.integers(-5, 5),
)
def test_no_money_is_lost_between_sums_and_calls(rows, gap):
    calls = [own_call(number, cost) for number, (cost, *_) in enumerate(rows)]
    asked = [
        line(number, None if amount is None else Decimal(amount), model)
        for number, (_, amount, model) in enumerate(rows)
    ]
    total = sum(cost for cost, *_ in rows) + 1
    before = [found(GROUP, total, total + gap), found(OTHER, 0, 3)]
    after = explain_by_calls(before, calls, asked, names=Names(), tolerance=NONE)
    assert gaps(after) == gaps(before)
    # Without a difference of the other group, a call there explains nothing.
    after = explain_by_calls(before[:1], calls, asked, names=Names(), tolerance=NONE)
    assert gaps(after) == gaps(before[:1])


def gaps(rows):
    return sum(each.theirs - each.own for each in rows)


def test_what_is_no_sum_of_butlers_calls_stays_as_it_is():
    before = [
        found(GROUP, 5, 5, kind="tax"),
        found(OTHER, 0, 5),
        found(OTHER, 5, 0)._replace(request_id="gen-1"),
    ]
    after = explain_by_calls(
        before, [own_call(1, 5)], [line(1, Decimal(7))], names=Names(), tolerance=NONE
    )
    assert after == before


@pytest.mark.parametrize("content", [b"{}", b"[1]", b'[{"id": "gen-1"}]', b"[", b"\xff"])
def test_answers_that_cannot_be_read_are_refused(content):
    with pytest.raises(UnreadableError):
        read_lines(content, format_name="openrouter_generation")


def test_an_answer_of_a_call_that_is_not_known_is_kept_as_it_came():
    packed = pack_generation(TODAY, "gen-1", 404, b'{"error": {"code": 404}}')
    (read,) = read_lines(b"[%s]" % packed, format_name="openrouter_generation")
    assert (read.day, read.request_id, read.amount) == (TODAY, "gen-1", None)
    assert b'\\"code\\": 404' in packed
