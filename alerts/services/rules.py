"""Add, change and disable rules, and evaluate them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django_q.tasks import async_task

from alerts import rules
from alerts.audit_actions import Action
from alerts.kinds import AlertKind
from alerts.models import AlertRule, RuleIncident
from alerts.refusals import AlertRuleInvalid, AlertRuleNameTaken, AlertRuleNotFound
from alerts.rules import Finding, RuleKind, Watch
from alerts.services.close import resolve_by_key
from alerts.services.raise_alert import raise_alert
from security import audit
from security.actor import Actor
from security.reasons import check_reason

COOL_OFF_MINUTES_MAX = 7 * 24 * 60
# A rule finds what it finds in seconds; one that does not must not keep a worker.
_SECONDS_MAX = 60
_ACTOR = Actor.job("alert rules")


@dataclass(frozen=True, kw_only=True)
class RuleTerms:
    """What a rule watches, and when it tells. A blank cost centre is the whole organisation."""

    kind: str
    name: str
    figure: Decimal
    cost_centre: str = ""
    cool_off_minutes: int = 60


@transaction.atomic
def add_rule(terms: RuleTerms, *, reason: str, actor: Actor, now: datetime) -> AlertRule:
    """Add a rule, which is evaluated from now on.

    Refusals: ReasonMissing, AlertRuleInvalid, AlertRuleNameTaken.
    """
    check_reason(reason)
    rule = AlertRule(created_at=now)
    _set(rule, terms)
    _record(rule, Action.RULE_ADD, None, reason=reason, actor=actor, now=now)
    return rule


@transaction.atomic
def change_rule(
    rule_id: int, terms: RuleTerms, *, reason: str, actor: Actor, now: datetime
) -> AlertRule:
    """Change what a rule watches. What it found before and does not find now is over.

    Refusals: ReasonMissing, AlertRuleNotFound, AlertRuleInvalid (also for another kind),
    AlertRuleNameTaken.
    """
    check_reason(reason)
    rule = _lock(rule_id)
    if rule.kind != terms.kind:
        raise AlertRuleInvalid(problem="A rule keeps its kind. Add another rule instead.")
    before = _values(rule)
    _set(rule, terms)
    if _values(rule) != before:
        _record(rule, Action.RULE_CHANGE, before, reason=reason, actor=actor, now=now)
    return rule


@transaction.atomic
def disable_rule(rule_id: int, *, reason: str, actor: Actor, now: datetime) -> AlertRule:
    """Switch a rule off and resolve its alerts. A second call changes nothing.

    Refusals: ReasonMissing, AlertRuleNotFound.
    """
    check_reason(reason)
    rule = _lock(rule_id)
    if rule.disabled_at is None:
        before = _values(rule)
        rule.disabled_at = now
        rule.save(update_fields=["disabled_at"])
        for incident in rule.incidents.filter(ended_at=None):
            _end(incident, note="The rule was switched off.", now=now)
        _record(rule, Action.RULE_DISABLE, before, reason=reason, actor=actor, now=now)
    return rule


@transaction.atomic
def enable_rule(rule_id: int, *, reason: str, actor: Actor, now: datetime) -> AlertRule:
    """Switch a rule on again. A second call changes nothing.

    Refusals: ReasonMissing, AlertRuleNotFound.
    """
    check_reason(reason)
    rule = _lock(rule_id)
    if rule.disabled_at is not None:
        before = _values(rule)
        rule.disabled_at = None
        rule.save(update_fields=["disabled_at"])
        _record(rule, Action.RULE_ENABLE, before, reason=reason, actor=actor, now=now)
    return rule


def enqueue_rules() -> int:
    """Ask workers to evaluate each rule that is switched on; returns how many.

    Each by itself: one that fails keeps no other from being evaluated.
    """
    enabled = list(AlertRule.objects.enabled().values_list("pk", flat=True))
    for rule_id in enabled:
        async_task(
            "alerts.jobs.evaluate_rule",
            rule_id,
            task_name=f"alert rule {rule_id}",
            group="alerts.rules",
            timeout=_SECONDS_MAX,
            ack_failure=True,
        )
    return len(enabled)


def evaluate_rule(rule_id: int, *, now: datetime) -> int:
    """Raise an alert for each new incident of a rule, and resolve those that are over.

    Returns how many alerts were raised. Does nothing for a rule that is switched off or whose kind
    no app registers. May run twice at once: each incident is written once.
    """
    rule = AlertRule.objects.enabled().filter(pk=rule_id).first()
    if rule is None or (kind := rules.all_kinds().get(rule.kind)) is None:
        return 0
    watch = Watch(figure=rule.figure, cost_centre=rule.cost_centre, now=now)
    found = {each.key: each for each in kind.find(watch)}
    return _write(rule, kind, found, now=now)


@transaction.atomic(durable=True)
def _write(rule: AlertRule, kind: RuleKind, found: dict[str, Finding], *, now: datetime) -> int:
    standing = AlertRule.objects.enabled().locked().filter(pk=rule.pk).first()
    # Another run was later, or a person changed the rule since: what was found is out of date.
    if standing is None or _values(standing) != _values(rule):
        return 0
    if standing.evaluated_at and standing.evaluated_at > now:
        return 0
    AlertRule.objects.filter(pk=rule.pk).update(evaluated_at=now)
    running = {each.key: each for each in rule.incidents.filter(ended_at=None)}
    for key in running.keys() - found.keys():
        _end(running[key], note="The rule no longer finds this.", now=now)
    cooling = set(
        rule.incidents.filter(
            ended_at__gt=now - timedelta(minutes=rule.cool_off_minutes)
        ).values_list("key", flat=True)
    )
    new = sorted(found.keys() - running.keys() - cooling)
    for key in new:
        _begin(rule, kind.alert_kind, found[key], now=now)
    return len(new)


def _begin(rule: AlertRule, kind: AlertKind, finding: Finding, *, now: datetime) -> None:
    alert, _ = raise_alert(
        kind=kind,
        dedup_key=_dedup_key(rule.pk, finding.key),
        title=finding.title,
        detail=f"{finding.detail} The rule “{rule.name}” found it.",
        facts={**finding.facts, "rule": rule.pk},
        key_id=finding.key_id,
        agent_id=finding.agent_id,
        now=now,
    )
    RuleIncident.objects.create(rule=rule, key=finding.key, alert=alert, began_at=now)


def _end(incident: RuleIncident, *, note: str, now: datetime) -> None:
    incident.ended_at = now
    incident.save(update_fields=["ended_at"])
    key = _dedup_key(incident.rule_id, incident.key)
    resolve_by_key(key, actor=_ACTOR, note=note, now=now)


def _dedup_key(rule_id: int, key: str) -> str:
    return f"alert_rule:{rule_id}:{key}"


def _lock(rule_id: int) -> AlertRule:
    rule = AlertRule.objects.locked().filter(pk=rule_id).first()
    if rule is None:
        raise AlertRuleNotFound(rule_id=rule_id)
    return rule


def _set(rule: AlertRule, terms: RuleTerms) -> None:
    if problem := _problem(terms):
        raise AlertRuleInvalid(problem=problem)
    for name, value in vars(terms).items():
        setattr(rule, name, value)
    try:
        with transaction.atomic():
            rule.save()
    except IntegrityError as error:
        if "alerts_alertrule_name" not in str(error):
            raise
        raise AlertRuleNameTaken(name=terms.name) from None


def _problem(terms: RuleTerms) -> str:
    """Why the terms make no rule; empty if they do."""
    kind = rules.all_kinds().get(terms.kind)
    if kind is None:
        return "There is no such kind of rule."
    figure = Decimal(terms.figure)
    if not figure.is_finite() or not kind.least <= figure <= kind.most:
        return f"Use a number from {kind.least:,} to {kind.most:,} as the figure."
    if not 0 <= terms.cool_off_minutes <= COOL_OFF_MINUTES_MAX:
        return f"Use 0 to {COOL_OFF_MINUTES_MAX:,} minutes until the same is told again."
    if terms.cost_centre and not kind.has_cost_centre:
        return "Rules of this kind are about all cost centres."
    return ""


def _values(rule: AlertRule) -> dict[str, Any]:
    return {
        **{name: getattr(rule, name) for name in ("kind", "name", "cost_centre")},
        "figure": f"{Decimal(rule.figure).normalize():f}",
        "cool_off_minutes": rule.cool_off_minutes,
        "enabled": rule.disabled_at is None,
    }


def _record(
    rule: AlertRule,
    action: Action,
    before: dict[str, Any] | None,
    *,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=rule.address,
        before=before,
        after=_values(rule),
        reason=reason,
        at=now,
    )
