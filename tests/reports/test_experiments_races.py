"""Experiments that people start at the same moment."""

import pytest

from orchestration import services as orchestration
from orchestration.models import Experiment
from orchestration.refusals import ExperimentNotPossible
from prediction.models import Saving
from tests.actors import GRACE
from tests.keys.builders import add_key
from tests.moments import NOON

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_people_who_start_the_same_experiment_at_once_one_does(people, at_once):
    add_key("cheap-1", provider="other")
    about = {"runner": "model", "asked_model": "", "to_model": "model-1", "to_provider": "other"}
    figures = {"amount": 10, "amount_low": 5, "amount_high": 20, "evidence": about}
    row = Saving.objects.create(
        kind="cheaper",
        subject="agent:ada",
        advice="experiment",
        found_at=NOON,
        seen_at=NOON,
        **figures,
    )

    def start(number):
        try:
            orchestration.start_experiment(row.pk, reason="cheaper", actor=GRACE, now=NOON)
        except ExperimentNotPossible:
            return "refused"
        return "started"

    assert sorted(at_once(start, times=4)) == ["refused"] * 3 + ["started"]
    assert Experiment.objects.count() == 1
