"""Experiments: start, assign parts by a hash, stop, adopt."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from django.db import transaction
from django.db.models import Exists, OuterRef

from keys import services as keys
from keys.models import Agent, ApiKey
from keys.reasons import check_reason
from keys.refusals import AgentNotFound, WrongValue
from orchestration.audit_actions import Action
from orchestration.models import Experiment, ExperimentPart, SubTask, Task
from orchestration.refusals import ExperimentNotPossible
from prediction import services as prediction
from prediction.models import Saving
from security import audit
from security.actor import Actor

DAYS = 7
S = Experiment.Status


@transaction.atomic(durable=True)
def start_experiment(saving: int, *, reason: str, actor: Actor, now: datetime) -> Experiment:
    """Try out what a saving proposes: 10 % of the parts of its kind, for a week.

    Refusals: WrongValue, ExperimentNotPossible, AgentNotFound, ProviderNotFound, ModelNotFound.
    """
    check_reason(reason)
    subject = Saving.objects.filter(pk=saving).values_list("subject", flat=True).first() or ""
    agent = _locked_agent(subject.removeprefix("agent:"))
    row = prediction.lock_saving(saving)
    if row.status != Saving.Status.OPEN or row.advice != Saving.Advice.EXPERIMENT:
        raise ExperimentNotPossible(why="The saving is not one to try out any more.")
    about = row.evidence
    keys.check_known(provider=about["to_provider"], models=[about["to_model"]])
    same = {"agent": agent, "runner": about["runner"], "from_model": about["asked_model"]}
    if Experiment.objects.filter(**same, status__in=Experiment.ASSIGNING).exists():
        raise ExperimentNotPossible(why="Another experiment with the same parts runs already.")
    made = Experiment.objects.create(
        saving=row,
        **same,
        model=about["to_model"],
        provider_id=about["to_provider"],
        started_at=now,
        started_by=str(actor),
        reason=reason,
        ends_at=now + timedelta(days=DAYS),
    )
    _record(made, Action.EXPERIMENT_START, before=None, reason=reason, actor=actor, now=now)
    return made


def _locked_agent(slug: str) -> Agent:
    """The agent, locked: two experiments with the same parts cannot start at the same time."""
    agent = Agent.objects.select_for_update(no_key=True).filter(pk=slug).first()
    if agent is None:
        raise AgentNotFound(agent=slug)
    return agent


@transaction.atomic(durable=True)
def stop_experiment(
    experiment: int, *, reason: str, actor: Actor, now: datetime
) -> tuple[Experiment, bool]:
    """Stop an experiment that runs, or one that was adopted: parts run as asked again.

    Parts that were planned with its model keep it. Returns the row and whether this call did it.
    Refusals: WrongValue.
    """
    check_reason(reason)
    row = _locked(experiment)
    if row.status not in Experiment.ASSIGNING:
        return row, False
    _end(row, S.STOPPED, Action.EXPERIMENT_STOP, reason=reason, actor=actor, now=now)
    return row, True


@transaction.atomic(durable=True)
def adopt_experiment(
    experiment: int, *, reason: str, actor: Actor, now: datetime
) -> tuple[Experiment, bool]:
    """Run all parts of its kind on the model that did better, until a person stops that.

    Its saving is done. Returns the row and whether this call did it. Refusals: WrongValue,
    ExperimentNotPossible.
    """
    check_reason(reason)
    row = _locked(experiment)
    if row.status == S.ADOPTED:
        return row, False
    if row.status != S.BETTER:
        raise ExperimentNotPossible(why="Only what did better can be used for all parts.")
    _locked_agent(row.agent_id)
    same = {"agent": row.agent_id, "runner": row.runner, "from_model": row.from_model}
    if Experiment.objects.filter(**same, status__in=Experiment.ASSIGNING).exists():
        raise ExperimentNotPossible(why="Another experiment with the same parts runs already.")
    _end(row, S.ADOPTED, Action.EXPERIMENT_ADOPT, reason=reason, actor=actor, now=now)
    saving = prediction.lock_saving(row.saving_id)
    if saving.status == Saving.Status.OPEN:
        prediction.follow_saving(saving, reason=reason, actor=actor, now=now)
    return row, True


def assign_parts(task: Task, rows: Sequence[SubTask], *, now: datetime) -> list[ExperimentPart]:
    """Give those of a task's new parts that experiments choose their model; one query.

    Returns what is to be stored once the parts are. Parts that name a provider are left alone, and
    so are all where no key of the other provider is on.
    """
    served = ApiKey.objects.filter(provider=OuterRef("provider"), status=ApiKey.Status.ACTIVE)
    going = Experiment.objects.filter(Exists(served), agent=task.agent_id)
    by_kind = {
        (each.runner, each.from_model): each
        for each in going.filter(status__in=Experiment.ASSIGNING)
        if each.status == S.ADOPTED or each.ends_at > now
    }
    return list(_assigned(task, rows, by_kind)) if by_kind else []


def _assigned(
    task: Task, rows: Sequence[SubTask], by_kind: dict[tuple[str, str], Experiment]
) -> Iterable[ExperimentPart]:
    for row in rows:
        found = by_kind.get((row.runner, row.model))
        if found is None or row.provider or not row.position:
            continue
        is_tried = is_chosen(found, f"{task.text_id}:{row.position}")
        if is_tried:
            row.model, row.provider = found.model, found.provider_id
        yield ExperimentPart(experiment=found, sub_task=row, is_tried=is_tried)


def is_chosen(experiment: Experiment, part: str) -> bool:
    """Whether the experiment chooses a part: by a hash, so always the same for the same part."""
    digest = sha256(f"{experiment.pk}:{part}".encode()).digest()
    return int.from_bytes(digest[:8], "big") * 100 < experiment.share << 64


def _locked(experiment: int) -> Experiment:
    row = Experiment.objects.select_for_update(no_key=True).filter(pk=experiment).first()
    if row is None:
        raise WrongValue("There is no such experiment. Choose one of the list.", field="experiment")
    return row


def _end(
    row: Experiment, status: str, action: Action, *, reason: str, actor: Actor, now: datetime
) -> None:
    before, row.status, row.ended_at = row.status, status, now
    row.save(update_fields=["status", "ended_at"])
    _record(row, action, before={"status": before}, reason=reason, actor=actor, now=now)


def _record(
    row: Experiment,
    action: Action,
    *,
    before: dict[str, str] | None,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=f"agent:{row.agent_id}",
        before=before,
        after={
            "experiment": row.pk,
            "status": str(row.status),
            "runner": row.runner,
            "from_model": row.from_model,
            "model": row.model,
            "provider": row.provider_id,
        },
        reason=reason,
        at=now,
    )
