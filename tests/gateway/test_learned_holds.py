"""Where the setting allows, a call that does not fit holds what the last answers make likely."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest
from django.urls import reverse
from django.utils import timezone

from gateway.answer_lengths import AnswerLengths, Asker
from keys import services as keys
from keys.models import Allocation, Charge
from keys.refusals import CostCentreNotFound, WrongValue
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.gateway.server import answer_of, gateway_on, lend, supply
from tests.keys.admin_forms import CONFIRMED
from tests.threads import wait_until

BATCH = 16
database = pytest.mark.django_db(transaction=True)


@pytest.fixture
def gateway(sandbox, settings):
    """The gateway, where no call waits for another and all holds may be smaller."""
    settings.GATEWAY_HOLD_WAIT_SECONDS = 0
    settings.GATEWAY_LEARNED_HOLDS = "always"
    supply("key-1")
    with gateway_on(sandbox, settings) as running:
        yield running


def ask(session, told="output=60", path="", **fields):
    """Call with these fields and no others; the answer."""
    said = f"hi [[sandbox {told}]]"
    asked = {"model": "any", **_input(said, path), **fields}
    with closing(session.open(json.dumps(asked).encode(), path=path)) as way:
        return answer_of(way)


def _input(said, path):
    if path == "/v1/responses":
        return {"input": said}
    return {"messages": [{"role": "user", "content": said}]}


def batch(session, told="output=60 latency_ms=300", **fields):
    """The answers to many calls at once."""
    with ThreadPoolExecutor(BATCH) as threads:
        return list(threads.map(lambda _: ask(session, told, **fields), range(BATCH)))


@database
@pytest.mark.parametrize(
    ("wire_format", "budget", "fields"),
    [
        ("openai", 60_000, {"max_tokens": 64_000}),
        ("openai", 60_000, {"max_completion_tokens": 64_000, "stream": True}),
        ("openai", 32_500, {}),
        ("openai", 60_000, {"n": 2, "max_tokens": 32_000}),
        ("openai", 60_000, {"path": "/v1/responses", "max_output_tokens": 64_000}),
        ("anthropic", 60_000, {"max_tokens": 64_000}),
        ("anthropic", 30_000, {"max_tokens": 32_000, "stream": True}),
    ],
)
def test_a_batch_on_a_small_budget_comes_back_at_once_and_whole(
    wire_format, budget, fields, gateway, sandbox
):
    session = lend(gateway.url, tokens=budget, wire_format=wire_format)
    assert ask(session, **fields).status == 200
    sandbox.clear()
    answers = batch(session, **fields)
    assert [answer.status for answer in answers] == [200] * BATCH
    assert {call["output"] for call in sandbox.log()} == {60 * fields.get("n", 1)}
    wait_until(lambda: not Charge.objects.filter(status="held").exists())
    lent = Allocation.objects.get()
    assert lent.used == sum(Charge.objects.values_list("tokens", flat=True)) < budget
    assert_books_balance()


@database
@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("before", "most"), [(60, 1024), (256, 1024), (400, 1600), (1000, 4000)])
def test_a_longer_answer_is_cut_and_says_so(before, most, stream, wire_format, gateway, sandbox):
    session = lend(gateway.url, tokens=20_000, wire_format=wire_format)
    ask(session, f"output={before}", max_tokens=2_000)
    sandbox.clear()
    answer = ask(session, "output=9000", max_tokens=64_000, stream=stream)
    assert answer.headers["x-butler-output-max"] == str(most)
    assert [call["output"] for call in sandbox.log()] == [most]
    held = Charge.objects.latest("pk")
    # Nothing is spent that was not set aside.
    assert held.tokens <= held.held_tokens < 20_000
    assert_books_balance()


@database
def test_a_call_that_fits_holds_all_that_it_may_use(gateway):
    session = lend(gateway.url, tokens=100_000)
    for _ in range(2):
        answer = ask(session, max_tokens=64_000)
        assert "x-butler-output-max" not in answer.headers
    assert all(held > 64_000 for held in Charge.objects.values_list("held_tokens", flat=True))


@database
@pytest.mark.parametrize(
    ("setting", "fields", "is_cut"),
    [
        ("never", {}, False),
        ("never", {"max_tokens": 64_000}, False),
        ("no_maximum", {}, True),
        ("no_maximum", {"max_tokens": 64_000}, False),
        ("no_maximum", {"max_completion_tokens": 64_000}, False),
        ("always", {}, True),
        ("always", {"max_tokens": 64_000}, True),
    ],
)
def test_the_setting_says_whose_maximum_may_be_lowered(
    setting, fields, is_cut, gateway, sandbox, settings
):
    settings.GATEWAY_LEARNED_HOLDS = setting
    session = lend(gateway.url, tokens=12_000)
    ask(session, max_tokens=100)
    sandbox.clear()
    answer = ask(session, "output=3000", **fields)
    # Alone, a call otherwise takes all that is left.
    assert [call["output"] for call in sandbox.log()] == [1024 if is_cut else 3000]
    assert answer.headers["x-butler-output-max"] != ("" if is_cut else "1024")


@database
@pytest.mark.parametrize(
    ("setting", "centre", "above", "is_cut"),
    [
        ("never", "always", "", True),
        ("never", "", "always", True),
        ("always", "never", "always", False),
        ("always", "", "", True),
        ("never", "no_maximum", "", False),
    ],
)
def test_the_nearest_cost_centre_says_it_before_the_setting(
    setting, centre, above, is_cut, gateway, sandbox, settings
):
    settings.GATEWAY_LEARNED_HOLDS = setting
    set_holds("research", centre)
    set_holds("org", above)
    session = lend(gateway.url, tokens=12_000)
    ask(session, max_tokens=100)
    sandbox.clear()
    ask(session, "output=3000", max_tokens=64_000)
    assert [call["output"] for call in sandbox.log()] == [1024 if is_cut else 3000]
    assert_books_balance()


@database
def test_an_agent_s_answers_count_for_its_new_sessions_and_a_charge_above_its_hold_is_an_overrun(
    gateway, sandbox, monkeypatch
):
    monkeypatch.setattr(AnswerLengths, "p99", lambda self, asker: _longest(self))
    assert ask(lend(gateway.url, tokens=12_000), "output=1300", max_tokens=2_000).status == 200
    session = lend(gateway.url, tokens=12_000)
    # The provider ignores the maximum and bills ten times the answer.
    answer = ask(session, "output=2000 usage=over", max_tokens=64_000)
    assert answer.headers["x-butler-output-max"] == "1300"
    wait_until(lambda: not Charge.objects.filter(status="held").exists())
    charge = Charge.objects.latest("pk")
    assert charge.overrun and charge.tokens > charge.held_tokens
    assert Allocation.objects.get(pk=session.allocation.pk).used == charge.tokens
    assert_books_balance()


def _longest(lengths):
    """The longest answer of all agents."""
    return max((max(each) for each in lengths._of_agents.values()), default=None)


def set_holds(centre, calls):
    return keys.set_learned_holds(
        centre, calls=calls, actor=ACTOR, reason="small budgets", now=timezone.now()
    )


@database
def test_a_change_of_learned_holds_is_audited_and_wrong_ones_are_refused(people):
    for calls in ("always", "always", ""):
        assert set_holds("org", calls).learned_holds == calls
    entries = AuditEntry.objects.filter(action="learned_holds.set").order_by("pk")
    assert [entry.after["learned_holds"] for entry in entries] == ["always", ""]
    assert {entry.reason for entry in entries} == {"small budgets"}
    with pytest.raises(WrongValue):
        set_holds("org", "sometimes")
    with pytest.raises(CostCentreNotFound):
        set_holds("x", "never")


@database
def test_learned_holds_are_set_in_the_admin_with_a_reason(people, admin_client):
    dialog = reverse("admin:keys_costcentre_set_learned_holds", args=["org"])
    admin_client.post(dialog, CONFIRMED | {"calls": "always"})
    assert not AuditEntry.objects.filter(action="learned_holds.set").exists()
    admin_client.post(dialog, CONFIRMED | {"calls": "always", "reason": "small budgets"})
    assert AuditEntry.objects.get(action="learned_holds.set").reason == "small budgets"
    page = admin_client.get(reverse("admin:keys_costcentre_change", args=["org"])).content.decode()
    assert "All; longer answers are cut" in page


def lengths_of(*outputs):
    asker, lengths = Asker(1, "ada", "m"), AnswerLengths()
    for output in outputs:
        lengths.add(asker, output)
    return lengths


def test_p99_of_an_agent_is_conformal_and_needs_99_answers():
    asker = Asker(1, "ada", "m")
    assert lengths_of(*range(98)).p99(asker) is None
    assert lengths_of(*range(1, 100)).p99(asker) == 99
    # The 199th smallest of 200.
    assert lengths_of(*range(1, 201)).p99(asker) == 199
    # The newest 500 count.
    assert lengths_of(*[9_000] * 50, *[7] * 500).p99(asker) == 7
    others = lengths_of(*range(1, 200))
    assert others.p99(Asker(2, "ada", "m")) == 198
    assert others.p99(Asker(1, "bob", "m")) is others.p99(Asker(1, "ada", "n")) is None


@pytest.mark.parametrize(
    ("outputs", "likely"),
    [
        ([], None),
        ([60], 1_024),
        ([500], 2_000),
        ([3_000] * 98, 12_000),
        ([3_000] * 99, 3_000),
        ([10] * 99, 1_024),
        # The session's own are never cut shorter.
        ([*[2_000] * 300, 5_000], 5_000),
    ],
)
def test_what_is_likely_follows_p99_once_it_is_known(outputs, likely):
    assert lengths_of(*outputs).likely(Asker(1, "ada", "m")) == likely


def test_99_of_100_answers_are_within_p99_of_those_before():
    dice = np.random.default_rng(16)
    outputs = [int(each) for each in dice.lognormal(6, 1, size=4_000)]
    asker, lengths, within = Asker(1, "ada", "m"), AnswerLengths(), []
    for output in outputs:
        if len(within) or len(lengths._of_agents.get(("ada", "m"), ())) >= 99:
            within.append(output <= lengths.p99(asker))
        lengths.add(asker, output)
    assert 0.985 < np.mean(within) < 0.995


def test_the_longest_of_the_last_twenty_answers_counts():
    asker = Asker(1, "ada", "m")
    assert AnswerLengths().longest(asker) is None
    lengths = lengths_of(900, *[7] * 19)
    assert lengths.longest(asker) == 900
    lengths.add(asker, 8)
    assert lengths.longest(asker) == 8
    others = Asker(1, "ada", "other"), Asker(2, "ada", "m")
    assert [lengths.longest(other) for other in others] == [None, None]


def test_of_many_sessions_those_that_call_are_remembered():
    lengths = AnswerLengths()
    for session in range(10_001):
        lengths.add(Asker(session, "ada", "m"), 5)
        lengths.add(Asker(0, "ada", "m"), 6)
    assert lengths.longest(Asker(0, "ada", "m")) == 6
    assert lengths.longest(Asker(1, "ada", "m")) is None
