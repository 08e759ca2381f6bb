"""Set, change and remove limits. People go through `propose_limit`, which may ask for approval."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction
from django.db.models import F

from keys.audit_actions import Action
from keys.identity.services.agents import check_open
from keys.limits import periods
from keys.limits.services import windows
from keys.limits.services.thresholds import arm
from keys.models import Agent, ApiKey, CostCentre, Limit, Period, Unit, Window
from keys.reasons import check_reason
from keys.refusals import WrongValue
from security import audit
from security.actor import Actor

_AN_INSTANT = timedelta(microseconds=1)
_AMOUNT_MAX = Decimal(10) ** 14
Subject = ApiKey | Agent | CostCentre
# The column and the scope of each kind of subject.
_SUBJECTS: dict[type[Any], tuple[str, str]] = {
    ApiKey: ("api_key", "key"),
    Agent: ("agent", "agent"),
    CostCentre: ("cost_centre", "centre"),
}


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The terms of a limit. `amount` is in whole tokens or in USD (9 places), as is
    `carry_over_max`, the most that one period leaves to the next; None or 0: nothing."""

    unit: str
    period: str
    amount: Decimal | int | str
    zone: str = "UTC"
    reset_hour: int = 0
    carry_over_max: Decimal | int | str | None = None

    def check(self) -> Decimal:
        """The amount as a number. Refusals: WrongValue."""
        if self.unit not in Unit.values:
            raise WrongValue("Use tokens or usd as the unit.", field="unit")
        if self.period not in Period.values:
            listed = ", ".join(Period.values[:-1])
            raise WrongValue(f"Use {listed} or {Period.values[-1]} as the period.", field="period")
        try:
            periods.check_zone(self.zone)
        except ValueError as error:
            raise WrongValue(str(error), field="zone") from None
        if not 0 <= self.reset_hour <= 23:
            raise WrongValue("Use a full hour from 0 to 23 as the reset hour.", field="reset_hour")
        if self.period == Period.HOUR and self.reset_hour:
            raise WrongValue(
                "A limit per hour resets on the hour. Use 0 as the reset hour.", field="reset_hour"
            )
        self.check_carry_over()
        return self._check_number(self.amount, "the amount", field="amount")

    def check_carry_over(self) -> Decimal | None:
        """The most that is carried over as a number; None: nothing. Refusals: WrongValue."""
        if self.carry_over_max is None:
            return None
        most = self._check_number(
            self.carry_over_max, "the most that is carried over", field="carry_over_max"
        )
        if most and self.period == Period.TOTAL:
            raise WrongValue(
                "A limit in total never resets, so it carries nothing over. Leave the carry-over "
                "empty.",
                field="carry_over_max",
            )
        return most or None

    def _check_number(self, number: Decimal | int | str, name: str, *, field: str) -> Decimal:
        places = 0 if self.unit == "tokens" else 9
        with suppress(InvalidOperation):
            amount = Decimal(number)
            finite = amount.is_finite() and 0 <= amount <= _AMOUNT_MAX
            if finite and amount == round(amount, places):
                return amount
        raise WrongValue(
            "Use a whole number of tokens, or USD with up to 9 decimal places, from 0 to "
            f"{_AMOUNT_MAX:,f} as {name}.",
            field=field,
        )


@transaction.atomic(durable=True)
def set_limit(subject: Subject, *, terms: Terms, reason: str, actor: Actor, now: datetime) -> Limit:
    """Give `subject` a limit, or change the one it has for this unit and period.

    A new limit counts what was used in its period and is committed already. Lowering one below that
    blocks new commitments and breaks nothing. What was carried over into the running period stays;
    another carry-over counts from its end on. Refusals: WrongValue; CostCentreClosed, of a new one.
    """
    check_reason(reason)
    return give_limit(subject, terms=terms, reason=reason, actor=actor, now=now)


def give_limit(
    subject: Subject, *, terms: Terms, reason: str, actor: Actor, now: datetime
) -> Limit:
    """`set_limit` in the caller's transaction. Commit it soon: no agent can spend until then."""
    amount = terms.check()
    # Also for a change: a window may have to be counted again.
    windows.take_books_alone()
    limit = limit_in_force(subject, unit=terms.unit, period=terms.period)
    before = terms_of(limit) if limit else None
    if limit is None and isinstance(subject, CostCentre):
        # Closing takes the books alone, too.
        check_open(subject.pk, CostCentre.objects.filter(pk=subject.pk).first())
    if limit:
        # A period that has ended keeps its own amount and calendar.
        windows.roll_over(limit.windows.all(), now=now)
    limit = limit or Limit(**_which(subject, unit=terms.unit, period=terms.period))
    calendar_changed = (limit.zone, limit.reset_hour) != (terms.zone, terms.reset_hour)
    limit.amount, limit.zone, limit.reset_hour = amount, terms.zone, terms.reset_hour
    limit.carry_over_max = terms.check_carry_over()
    limit.save()
    if before is None:
        windows.first_window(limit, now=now)
    elif calendar_changed:
        windows.recount_window(limit, now=now)
    else:
        limit.windows.filter(closed_at=None).update(amount=amount + F("carried"))
    if before and before != terms_of(limit):
        arm(list(limit.windows.filter(closed_at=None).values_list("pk", flat=True)), at=now)
    if before != terms_of(limit):
        audit.record(
            actor=actor,
            action=Action.LIMIT_SET,
            subject=limit.scope,
            before=before,
            after=terms_of(limit),
            reason=reason,
            at=now,
        )
    return limit


@transaction.atomic(durable=True)
def remove_limit(limit: Limit, *, reason: str, actor: Actor, now: datetime) -> None:
    """End a limit. Its windows stay as records. A second call changes nothing. Refusals:
    WrongValue."""
    check_reason(reason)
    end_limit(limit, reason=reason, actor=actor, now=now)


def end_limit(limit: Limit, *, reason: str, actor: Actor, now: datetime) -> None:
    """`remove_limit` in the caller's transaction. Commit it soon, as with `give_limit`."""
    windows.take_books_alone()
    if Limit.objects.filter(pk=limit.pk, removed_at=None).update(removed_at=now):
        _close_window(limit, now=now)
        audit.record(
            actor=actor,
            action=Action.LIMIT_REMOVE,
            subject=limit.scope,
            before=terms_of(limit),
            reason=reason,
            at=now,
        )


def limit_in_force(subject: Subject, *, unit: str, period: str) -> Limit | None:
    """The limit that `subject` has now for this unit and period."""
    return Limit.objects.filter(
        **_which(subject, unit=unit, period=period), removed_at=None
    ).first()


def scope_of(subject: Subject) -> str:
    """The address of what is limited, such as `agent:ada`."""
    return f"{_SUBJECTS[type(subject)][1]}:{subject.pk}"


def subject_at(scope: str) -> Subject:
    """What is limited at the address `scope`."""
    kind, _, slug = scope.partition(":")
    model = next(model for model, (_, each) in _SUBJECTS.items() if each == kind)
    subject: Subject = model._default_manager.get(pk=slug)
    return subject


def subject_of(limit: Limit) -> Subject:
    """What the limit is of."""
    return subject_at(limit.scope)


def _which(subject: Subject, *, unit: str, period: str) -> dict[str, Any]:
    column, _ = _SUBJECTS[type(subject)]
    return {column: subject, "scope": scope_of(subject), "unit": unit, "period": period}


def _close_window(limit: Limit, *, now: datetime) -> None:
    """Close the open window early: it ends now, as the record of what was used until then."""
    window = Window.objects.select_for_update(no_key=True).get(limit=limit, closed_at=None)
    window.ends_at = min(window.ends_at, max(now, window.starts_at + _AN_INSTANT))
    window.committed, window.closed_at = 0, now
    window.save(update_fields=["ends_at", "committed", "closed_at"])


def terms_of(limit: Limit) -> dict[str, object]:
    """The terms of a limit as the audit records them, with the amount under a name such as
    `tokens_per_day`."""
    name = "in_total" if limit.period == Period.TOTAL else f"per_{limit.period}"
    carries_over = limit.carry_over_max is not None
    return {
        f"{limit.unit}_{name}": _plain(limit.amount),
        "zone": limit.zone,
        "reset_hour": limit.reset_hour,
        **({"carry_over_max": _plain(limit.carry_over_max)} if carries_over else {}),
    }


def _plain(amount: Decimal) -> str:
    """The amount without exponent and trailing zeros."""
    return format(amount.normalize(), "f")
