"""The page of savings: what it shows, to whom, and what people do about it."""

from decimal import Decimal

import pytest

from keys.models import ApiKey
from orchestration.models import Experiment, ExperimentPart
from prediction.models import Saving
from tests.dashboard.test_agents import signed_in
from tests.keys.builders import add_key
from tests.moments import NOON
from tests.orchestration.work import submit

pytestmark = pytest.mark.django_db
PATH = "/savings"


def saving(agent="ada", centre="research", **changes):
    evidence = {"from_key": "nvidia-1", "to_key": "nvidia-2"}
    return Saving.objects.create(
        **{
            "kind": "cheaper",
            "subject": f"agent:{agent}",
            "cost_centre": centre,
            "advice": "switch",
            "words": f"Parts of {agent} cost less.",
            "evidence": evidence,
            "amount": Decimal(30),
            "amount_low": Decimal(20),
            "amount_high": Decimal(40),
            "found_at": NOON,
            "seen_at": NOON,
            **changes,
        }
    )


def page(client, path=PATH):
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_without_savings_it_says_when_there_would_be_some(people):
    shown = page(signed_in("vera", role="viewer"))
    assert "Nothing is sure to cost less" in shown
    assert "act=find" not in shown


def test_each_person_sees_those_of_their_cost_centres(people):
    saving()
    saving("carol", "sales")
    shown = page(signed_in("vera", role="viewer"))
    assert "Parts of ada" in shown and "Parts of carol" in shown and "60.00" in shown
    assert "act=prefer" not in shown and "act=dismiss" not in shown
    bound = page(signed_in("ruth", role="operator", of="research"))
    assert "Parts of ada" in bound and "carol" not in bound
    # A key serves all cost centres.
    assert "act=prefer" not in bound


def test_the_same_money_is_summed_once_on_the_page_and_in_files(people):
    saving(spent={"ada": 100.0})
    saving(detail="caching", amount=Decimal(25), spent={"ada": 100.0})
    vera = signed_in("vera", role="viewer")
    assert "55.00" not in page(vera)
    file = b"".join(vera.get(f"{PATH}?format=csv&table=savings").streaming_content).decode()
    assert "Total 30 days (USD),30.000000000" in file


def test_finance_dismisses_with_a_reason_and_takes_it_back(people):
    row = saving()
    fiona = signed_in("fiona", role="finance")
    assert "act=prefer" not in page(fiona)
    assert f'value="{row.pk}" selected' in page(fiona, f"{PATH}?act=dismiss&saving={row.pk}")
    assert fiona.post(f"{PATH}?act=dismiss", {"saving": row.pk}).status_code == 200
    asked = {"saving": row.pk, "reason": "the contract says so"}
    assert fiona.post(f"{PATH}?act=dismiss", asked).status_code == 302
    shown = page(fiona)
    assert "the contract says so" in shown and "act=tell-again" in shown
    fiona.post(f"{PATH}?act=tell-again", asked)
    assert Saving.objects.get().status == "open"
    vera = signed_in("vera", role="viewer")
    assert vera.post(f"{PATH}?act=dismiss", asked).status_code == 403


def test_nobody_acts_on_savings_that_they_do_not_see(people):
    row = saving("carol", "sales")
    saving()
    ruth = signed_in("ruth", role="operator", of="research")
    asked = {"saving": row.pk, "reason": "mine"}
    assert ruth.post(f"{PATH}?act=dismiss", asked).status_code == 200
    row.refresh_from_db()
    assert row.status == "open"


def test_an_operator_lends_the_cheaper_key_first(people):
    add_key("nvidia-1", priority=3)
    add_key("nvidia-2")
    row = saving()
    olga = signed_in("olga", role="operator")
    assert f"?act=prefer&amp;saving={row.pk}" in page(olga)
    asked = {"saving": row.pk, "reason": "as good"}
    assert olga.post(f"{PATH}?act=prefer", asked).status_code == 302
    assert ApiKey.objects.get(pk="nvidia-2").priority == 4
    assert "nvidia-2 is lent first" in page(olga)
    assert "followed" in page(olga).casefold()


def test_a_person_has_butler_look_now(people, django_capture_on_commit_callbacks):
    from django_q.models import OrmQ

    olga = signed_in("olga", role="operator")
    assert olga.post(f"{PATH}?act=find").status_code == 302
    assert any(each.func() == "reports.jobs.find_savings" for each in OrmQ.objects.all())


def test_an_operator_tries_a_model_out_and_the_part_says_so(people):
    add_key("nvidia-1")
    evidence = {
        "runner": "model",
        "asked_model": "",
        "to_model": "model-1",
        "to_provider": "nvidia",
    }
    row = saving(advice="experiment", evidence=evidence)
    finn, olga = signed_in("finn", role="finance"), signed_in("olga", role="operator")
    assert "Try model-1 for a week" in page(finn)
    asked = {"saving": row.pk, "reason": "it is cheaper"}
    assert finn.post(f"{PATH}?act=try", asked).status_code == 403
    assert f"?act=try&amp;saving={row.pk}" in page(olga)
    assert olga.post(f"{PATH}?act=try", asked).status_code == 302
    shown = page(finn)
    assert "An experiment runs until" in shown and "no named model" in shown
    submit(*["File the invoice"] * 40, budget=400_000)
    for is_tried, says in ((True, "it runs on model-1"), (False, "it runs as asked")):
        part = ExperimentPart.objects.filter(is_tried=is_tried).first()
        assert says in page(finn, f"/tasks/parts/{part.sub_task_id}")
    asked = {"experiment": Experiment.objects.get().pk, "reason": "not now"}
    assert finn.post(f"{PATH}?act=stop", asked).status_code == 403
    assert olga.post(f"{PATH}?act=stop", asked).status_code == 302
    assert Experiment.objects.get().status == "stopped"


def test_an_operator_uses_for_all_parts_what_did_better(people):
    add_key("nvidia-1")
    row = saving(advice="adopt")
    made = Experiment.objects.create(
        saving=row, agent_id="ada", runner="model", model="model-1", provider_id="nvidia",
        status="better", started_at=NOON, ends_at=NOON, ended_at=NOON, outcome="It is as good.",
    )  # fmt: skip
    Saving.objects.update(evidence={"experiment": made.pk, "to_model": "model-1"})
    olga = signed_in("olga", role="operator")
    shown = page(olga)
    assert f"?act=adopt&amp;experiment={made.pk}" in shown and "It is as good." in shown
    asked = {"experiment": made.pk, "reason": "as good"}
    assert olga.post(f"{PATH}?act=adopt", asked).status_code == 302
    assert Experiment.objects.get().status == "adopted"
    assert Saving.objects.get().status == "done"


def test_idle_keys_and_failed_attempts_have_their_own_ways_out(people):
    add_key("nvidia-1")
    saving("ada", kind="retries", advice="look", evidence={})
    idle = saving(subject="key:nvidia-1", cost_centre="", kind="idle_key", advice="pause")
    saving("bob", kind="oversize", advice="look", evidence={}, words="Nothing is spent by that.")
    olga = signed_in("olga", role="operator")
    answer = olga.get(PATH)
    shown = answer.content.decode()
    assert "See its tasks" in shown and "See the agent" in shown
    # What lies there is in no sum.
    assert answer.context["savings"].totals == {"amount": 30}
    assert not answer.context["idle"].totals
    asked = {"saving": idle.pk, "reason": "nobody needs it"}
    assert olga.post(f"{PATH}?act=pause", asked).status_code == 302
    assert ApiKey.objects.get().status == "inactive"
    assert Saving.objects.get(pk=idle.pk).status == "done"
    vera = signed_in("vera", role="viewer")
    assert vera.post(f"{PATH}?act=pause", asked).status_code == 403
