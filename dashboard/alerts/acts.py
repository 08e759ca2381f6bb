"""What people may do to alerts, to one or to many: each act is a dialog, and calls one service."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from alerts import services as alerts
from alerts.models import Alert
from common.refusal import Refusal
from dashboard import figures
from dashboard.alerts.forms import ActForm, ResolveForm, SnoozeForm
from security.actor import Actor

PERMISSION = "alerts.change_alert"
# Of the id of an alert, the actor, when it is, and what the dialog asked: the alert and whether
# this changed it.
Perform = Callable[..., tuple[Alert, bool]]


class Outcome(NamedTuple):
    """The alerts that were changed, and of each other one why not."""

    changed: list[Alert]
    refused: list[str]


@dataclass(frozen=True, kw_only=True)
class Act:
    """An act: its button and its dialog, the stages at which it is offered, and the service."""

    name: str
    button: str
    about: str
    done: str
    stages: Sequence[str]
    perform: Perform
    form: type[ActForm] = ActForm


def acts_at(user: Any, stage: str) -> list[Act]:
    """What the person may do to alerts at this stage."""
    if not user.has_perm(PERMISSION):
        return []
    return [act for act in ACTS if stage in act.stages]


def find_act(user: Any, name: str) -> Act | None:
    """The act of this name, if the person may do it."""
    acts = ACTS if user.has_perm(PERMISSION) else ()
    return next((act for act in acts if act.name == name), None)


def perform_each(
    act: Act,
    chosen: Iterable[Alert],
    asked: dict[str, Any],
    *,
    actor: Actor,
    zone: ZoneInfo,
    now: datetime,
) -> Outcome:
    """Do it to each alert, in a transaction of its own; what somebody did before is said."""
    outcome = Outcome([], [])
    for alert in chosen:
        try:
            found, is_changed = act.perform(alert.pk, actor=actor, now=now, **asked)
        except Refusal as refusal:
            outcome.refused.append(refusal.detail)
        else:
            if is_changed:
                outcome.changed.append(found)
            else:
                outcome.refused.append(f"{found.title}: {standing(found, zone=zone, now=now)}")
    return outcome


def standing(alert: Alert, *, zone: ZoneInfo, now: datetime) -> str:
    """Where the alert stands, and who brought it there."""
    stage = alert.stage_at(now)
    if stage == Alert.Stage.SNOOZED and alert.snoozed_until:
        until = figures.moment(alert.snoozed_until, zone=zone).text
        return f"it is snoozed until {until} by {alert.snoozed_by} already."
    if stage == Alert.Stage.OPEN:
        return "it is open already."
    by = alert.resolved_by if alert.is_resolved else alert.acknowledged_by
    return f"it is {stage} by {by} already."


def _resolve(alert_id: int, **asked: Any) -> tuple[Alert, bool]:
    return alerts.resolve(alert_id, **asked), True


_Stage = Alert.Stage
ACTS = (
    Act(
        name="acknowledge",
        button="Acknowledge",
        about="Other people see that you deal with this. Resolve it when you are done.",
        done="Acknowledged",
        stages=(_Stage.OPEN,),
        perform=alerts.acknowledge,
    ),
    Act(
        name="snooze",
        button="Snooze",
        about="This is put aside, and no notification of it is sent. It comes back when the time "
        "is over. If something more severe takes its place, that is told.",
        done="Snoozed",
        stages=(_Stage.OPEN, _Stage.ACKNOWLEDGED),
        form=SnoozeForm,
        perform=alerts.snooze,
    ),
    Act(
        name="wake",
        button="End snooze",
        about="This is among the others again. Notifications that waited are sent.",
        done="Back from the snooze",
        stages=(_Stage.SNOOZED,),
        perform=alerts.end_snooze,
    ),
    Act(
        name="withdraw",
        button="Withdraw acknowledgement",
        about="This is open again, for somebody else to deal with.",
        done="Open again",
        stages=(_Stage.ACKNOWLEDGED,),
        perform=alerts.withdraw_acknowledgement,
    ),
    Act(
        name="resolve",
        button="Resolve",
        about="This is closed. Butler raises a new alert if the same happens again.",
        done="Resolved",
        stages=(_Stage.OPEN, _Stage.ACKNOWLEDGED, _Stage.SNOOZED),
        form=ResolveForm,
        perform=_resolve,
    ),
    Act(
        name="reopen",
        button="Reopen",
        about="This is again what it was before it was resolved.",
        done="Reopened",
        stages=(_Stage.RESOLVED,),
        perform=alerts.reopen,
    ),
)
