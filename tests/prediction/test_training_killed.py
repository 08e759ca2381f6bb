"""A training that is killed at any moment leaves the version in use, and nothing half-written."""

import os
import signal
from datetime import timedelta
from importlib import import_module

import pytest
from django.utils import timezone

from prediction import in_use, jobs
from prediction import services as prediction
from prediction.models import ForecastModel, ForecastModelContent
from prediction.queries.training_rows import TrainingRows
from tests.moments import NOON
from tests.prediction.made_up_work import ADA, rows, work

# The package has a function of this name.
training = import_module("prediction.services.train_model")
pytestmark = pytest.mark.django_db(transaction=True)


def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def version(monkeypatch):
    """The version in use, and work to learn from."""
    found = TrainingRows(rows(*work(40)), NOON, NOON)
    monkeypatch.setattr(training, "training_rows", lambda until: found)
    return prediction.train_model(now=timezone.now() - timedelta(hours=2))


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("train_and_score", id="while it learns"),
        pytest.param("to_json", id="after it learned"),
        pytest.param("switch", id="in the transaction that stores it"),
    ],
)
def test_a_killed_training_changes_nothing_and_the_next_one_works(version, step, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(training, step, kill)
        with pytest.raises(RuntimeError, match="status 9"):
            jobs.train()
    killed = ForecastModel.objects.exclude(pk=version.pk).get()
    assert (killed.status, killed.in_use) == ("training", False)
    assert ForecastModelContent.objects.get().version_id == version.pk
    in_use.forget()
    assert prediction.forecast("Draft the plan", ADA).version == version.pk
    later = timezone.now() + timedelta(seconds=prediction.TRAINING_SECONDS_MAX + 60)
    following = prediction.train_model(now=later)
    killed.refresh_from_db()
    assert (following.status, killed.status) == ("ready", "failed")
    assert ForecastModel.objects.get(in_use=True) == following


def test_a_training_that_is_killed_after_it_stored_its_version_is_whole(version, monkeypatch):
    monkeypatch.setattr(training, "_forget_old", kill)
    with pytest.raises(RuntimeError, match="status 9"):
        jobs.train()
    stored = ForecastModel.objects.get(in_use=True)
    assert (stored.status, stored.pk > version.pk) == ("ready", True)
    in_use.forget()
    assert prediction.forecast("Draft the plan", ADA).version == stored.pk


def test_the_job_learns_in_a_process_of_its_own(version):
    jobs.train()
    assert ForecastModel.objects.get(in_use=True).pk > version.pk


def test_a_version_without_its_content_is_left_out_and_the_rule_goes_on(version):
    ForecastModelContent.objects.all().delete()
    in_use.forget()
    assert prediction.forecast("Draft the plan", ADA).basis == "rule"
    later = prediction.train_model(now=timezone.now())
    in_use.forget()
    assert prediction.forecast("Draft the plan", ADA).version == later.pk
