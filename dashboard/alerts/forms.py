"""What the dialogs of acts on alerts ask."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from alerts.services.snooze import SNOOZE_MAX

MORNING = time(9)
_WHEN = {
    "hour": "1 hour",
    "tomorrow": "Until tomorrow, 09:00",
    "week": "1 week",
    "date": "Until 09:00 on this date",
}


def snooze_end(choice: str, on: date | None, *, zone: ZoneInfo, now: datetime) -> datetime:
    """When a snooze ends: after a time, or in the morning of a day in the reporting zone."""
    lengths = {"hour": timedelta(hours=1), "week": timedelta(weeks=1)}
    if choice in lengths:
        return now + lengths[choice]
    day = on if choice == "date" else None
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(day or tomorrow, MORNING, tzinfo=zone)


class ActForm(forms.Form):
    """Asks for a note, which may be empty."""

    note = forms.CharField(
        required=False, max_length=300, help_text="The history keeps it with your name."
    )

    def __init__(self, *args: Any, zone: ZoneInfo, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._zone, self._now = zone, now


class ResolveForm(ActForm):
    """Asks what was done."""

    note = forms.CharField(
        label="What was done",
        max_length=300,
        help_text="People who get such an alert again read it.",
    )


class SnoozeForm(ActForm):
    """Asks until when."""

    until = forms.ChoiceField(
        label="For how long", choices=list(_WHEN.items()), initial="hour", widget=forms.RadioSelect
    )
    on = forms.DateField(
        label="Date",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    field_order = ("until", "on", "note")

    def clean(self) -> dict[str, Any]:
        """Turn the choice into a moment."""
        choice, on = self.cleaned_data.get("until"), self.cleaned_data.get("on")
        if choice is None or "on" in self.errors:
            return self.cleaned_data
        until = snooze_end(choice, on, zone=self._zone, now=self._now)
        if choice == "date" and not (on and self._now < until <= self._now + SNOOZE_MAX):
            self.add_error("on", "Choose a date in the next 12 months.")
        return {"until": until, "note": self.cleaned_data.get("note", "")}
