"""Experiments: a hash chooses parts, what comes of them is told, and proposed or withdrawn."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from alerts.models import Alert
from keys import services as keys
from orchestration import services as orchestration
from orchestration.models import Experiment, ExperimentPart, SubTask
from orchestration.refusals import ExperimentNotPossible
from orchestration.services.experiments import is_chosen
from prediction.models import Saving
from reports import services as reports
from security.models import AuditEntry
from tests.actors import GRACE
from tests.keys.builders import PAID, add_key
from tests.moments import NOON
from tests.orchestration.work import submit_at_noon
from tests.reports.savings import tried

pytestmark = pytest.mark.django_db
WEEK = timedelta(days=7)
SAYS = {"actor": GRACE, "reason": "it is cheaper", "now": NOON}


@pytest.fixture
def saving(people):
    """ada's parts name no model; a trial of model-1 of another provider is proposed."""
    add_key("dear-1", rates=PAID, priority=5, per_day=None)
    add_key("cheap-1", rates=PAID, provider="other", per_day=None)
    return Saving.objects.create(
        kind="cheaper",
        subject="agent:ada",
        detail="model: no named model → model-1 of other",
        cost_centre="research",
        advice="experiment",
        evidence={
            "runner": "model",
            "asked_model": "",
            "to_model": "model-1",
            "to_provider": "other",
        },
        amount=10,
        amount_low=5,
        amount_high=20,
        found_at=NOON,
        seen_at=NOON,
    )


@pytest.fixture
def experiment(saving):
    return orchestration.start_experiment(saving.pk, **SAYS)


def test_a_hash_chooses_one_part_of_ten_and_always_the_same():
    running, adopted = Experiment(pk=3), Experiment(pk=3, status="adopted")
    chosen = [part for part in map(str, range(2_000)) if is_chosen(running, part)]
    assert 160 < len(chosen) < 240
    assert [part for part in map(str, range(2_000)) if is_chosen(running, part)] == chosen
    others = [part for part in map(str, range(2_000)) if is_chosen(Experiment(pk=4), part)]
    assert len(set(chosen) & set(others)) < 60
    assert all(is_chosen(adopted, part) for part in map(str, range(100)))


def planned(**changes):
    """The models of 60 new parts, and how many of them the experiment looks at."""
    seen = ExperimentPart.objects.count()
    task = submit_at_noon(*[{"description": "File", **changes}] * 60, budget=600_000)
    rows = SubTask.objects.filter(task=task)
    models = set(rows.values_list("model", "provider"))
    return models, ExperimentPart.objects.count() - seen


def test_parts_of_the_kind_are_divided_and_others_left_alone(experiment):
    models, seen = planned()
    assert models == {("", ""), ("model-1", "other")}
    assert seen == 60
    for part in ExperimentPart.objects.select_related("sub_task"):
        assert part.is_tried == (part.sub_task.model == "model-1")
    assert planned(model="model-1") == ({("model-1", "")}, 0)
    assert planned(provider="nvidia") == ({("", "nvidia")}, 0)
    keys.set_key_status("cheap-1", status="inactive", **SAYS)
    assert planned() == ({("", "")}, 0)


def test_a_person_stops_it_and_parts_run_as_asked(experiment):
    assert orchestration.stop_experiment(experiment.pk, **SAYS)[1]
    assert not orchestration.stop_experiment(experiment.pk, **SAYS)[1]
    assert planned() == ({("", "")}, 0)
    actions = AuditEntry.objects.filter(action__startswith="experiment.").order_by("pk")
    assert list(actions.values_list("action", "subjects")) == [
        ("experiment.start", ["agent:ada"]),
        ("experiment.stop", ["agent:ada"]),
    ]


def test_what_cannot_be_tried_is_refused(saving, experiment):
    with pytest.raises(ExperimentNotPossible, match="runs already"):
        orchestration.start_experiment(saving.pk, **SAYS)
    with pytest.raises(ExperimentNotPossible, match="did better"):
        orchestration.adopt_experiment(experiment.pk, **SAYS)
    orchestration.stop_experiment(experiment.pk, **SAYS)
    Saving.objects.update(advice="switch")
    with pytest.raises(ExperimentNotPossible, match="not one to try"):
        orchestration.start_experiment(saving.pk, **SAYS)
    with pytest.raises(DatabaseError, match="Invalid transition"), transaction.atomic():
        Experiment.objects.filter(pk=experiment.pk).update(status="running", ended_at=None)


def evaluate(after):
    return orchestration.evaluate_experiments(now=NOON + after)


def test_what_is_clearly_worse_is_stopped_early_and_withdrawn(experiment):
    tried("dear-1", 160, failures=4, experiment=experiment)
    tried("cheap-1", 20, failures=3, cost=0.4, experiment=experiment, is_tried=True)
    assert evaluate(timedelta(days=1)) == 0
    tried("cheap-1", 20, failures=15, cost=0.4, experiment=experiment, is_tried=True)
    assert evaluate(timedelta(days=1)) == 1
    assert evaluate(timedelta(days=1)) == 0
    experiment.refresh_from_db()
    assert experiment.status == "worse"
    assert "model-1 did 22 of 40 parts" in experiment.outcome
    alert = Alert.objects.get(kind="experiment_ended")
    assert alert.title == "model-1 for parts of ada is worse, and the proposal is withdrawn"
    reports.find_savings(now=NOON + timedelta(days=2))
    assert Saving.objects.get().status == "gone"


def test_what_did_better_is_proposed_and_used_for_all_parts(experiment, saving):
    tried("dear-1", 200, experiment=experiment)
    tried("cheap-1", 160, cost=0.4, experiment=experiment, is_tried=True)
    assert evaluate(WEEK - timedelta(hours=1)) == 0
    assert evaluate(WEEK) == 1
    experiment.refresh_from_db()
    assert experiment.status == "better"
    # 200 USD in a week, of which 60 % would have been saved, for 30 days.
    assert experiment.result["amount"][1] == pytest.approx(200 * 0.6 * 30 / 7, rel=0.01)
    reports.find_savings(now=NOON + WEEK)
    saving.refresh_from_db()
    assert (saving.status, saving.advice) == ("open", "adopt")
    assert orchestration.adopt_experiment(experiment.pk, **SAYS)[1]
    saving.refresh_from_db()
    assert saving.status == "done"
    assert planned() == ({("model-1", "other")}, 60)
    orchestration.stop_experiment(experiment.pk, **SAYS)
    assert planned() == ({("", "")}, 0)


def test_with_few_parts_it_is_undecided_and_can_be_started_again(experiment, saving):
    tried("dear-1", 60, experiment=experiment)
    tried("cheap-1", 12, cost=0.4, experiment=experiment, is_tried=True)
    assert evaluate(WEEK) == 1
    experiment.refresh_from_db()
    assert (experiment.status, experiment.result) == ("undecided", {})
    assert "too little to compare" in experiment.outcome
    assert orchestration.start_experiment(saving.pk, **SAYS).pk != experiment.pk


def test_it_waits_a_day_for_parts_that_still_run(experiment):
    planned()
    assert evaluate(WEEK) == 0
    assert evaluate(WEEK + timedelta(days=1)) == 1
