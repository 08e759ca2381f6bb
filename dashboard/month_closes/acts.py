"""What people may do with a month: lock it, sign it, ask to reopen it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms

from dashboard.acts import Act, ActForm, NoQuestions, Outcome
from reports import services as reports
from reports.models import MonthClose
from reports.month_periods import MonthPeriod
from reports.queries.month_closes import ChecklistItem
from security.actor import Actor

_WAIVER = "waive_"


@dataclass(frozen=True)
class Month:
    """A month as its page shows it: its close, or what keeps it from being closed."""

    period: MonthPeriod
    close: MonthClose | None
    items: list[ChecklistItem]
    is_latest: bool

    @property
    def status(self) -> str:
        """Where the month stands."""
        return self.close.status if self.close else "open"

    @property
    def closed(self) -> MonthClose:
        """The close of a closed month; a ValueError if it is open."""
        if self.close is None:
            raise ValueError(f"{self.period.slug} is open")
        return self.close


class LockForm(NoQuestions):
    """Asks for a reason to waive each item of the checklist that is open."""

    def __init__(self, subject: Month, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        for item in subject.items:
            if item.can_be_waived and not item.is_met:
                self.fields[_WAIVER + item.name] = forms.CharField(
                    label=f"Waive “{item.says}”",
                    max_length=300,
                    required=False,
                    help_text=f"Now: {item.figure}. Say why the month is closed all the same.",
                )


def _lock(month: Month, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    waivers = {name.removeprefix(_WAIVER): reason for name, reason in asked.items()}
    close = reports.lock_month(month=month.period.month, waivers=waivers, actor=actor, now=now)
    return f"{close.name} is locked. Two different persons sign it now."


def _sign(month: Month, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    close = reports.sign_month(month.closed, actor=actor, now=now)
    if close.second_signed_at:
        return f"{close.name} is signed."
    return f"You have signed {close.name}. Another person signs it, too."


def _reopen(month: Month, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    return reports.ask_reopening(month.closed, reason=asked["reason"], actor=actor, now=now)


ACTS = [
    Act(
        name="lock",
        button="Lock the month",
        about="Its figures and those of each cost centre are frozen. What changes later is counted "
        "in the next month that is closed.",
        permission="reports.lock_monthclose",
        form=LockForm,
        applies=lambda month: month.close is None,
        perform=_lock,
    ),
    Act(
        name="sign",
        button="Sign the month",
        about="You confirm the frozen figures. Two different persons sign a month.",
        permission="reports.sign_monthclose",
        form=NoQuestions,
        applies=lambda month: month.status == "locked",
        perform=_sign,
    ),
    Act(
        name="reopen",
        button="Ask to reopen",
        about="A second person decides. The month is open again then, and what was frozen stays in "
        "its history.",
        permission="reports.lock_monthclose",
        form=ActForm,
        applies=lambda month: month.close is not None and month.is_latest,
        perform=_reopen,
    ),
]
