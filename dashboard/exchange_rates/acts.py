"""What people may do: import rates of the European Central Bank, and record rates."""

from datetime import datetime
from typing import Any

from django import forms

from common import formatting
from dashboard.acts import Act, ActForm, NoQuestions, Outcome
from security.actor import Actor
from treasury import services as treasury

_RECORD = "treasury.record_rates"


class FileForm(NoQuestions):
    """Asks for a file."""

    file = forms.FileField(
        help_text="eurofxref-daily.xml, eurofxref.csv or eurofxref-hist.csv of the European "
        "Central Bank, unpacked, up to 2 MB; the command import_exchange_rates takes 10 MB."
    )


class RateForm(ActForm):
    """Asks for a rate."""

    base = forms.RegexField(
        r"^[A-Z]{3,5}$",
        label="From",
        help_text="The currency of which one is changed, such as USD.",
    )
    quote = forms.RegexField(
        r"^[A-Z]{3,5}$", label="To", help_text="The currency that it is changed to, such as EUR."
    )
    rate = forms.DecimalField(
        max_digits=20, decimal_places=9, help_text="How much of the second currency one is."
    )
    day = forms.DateField(
        widget=forms.DateInput(attrs={"type": "date"}), help_text="The day of the rate."
    )
    field_order = ("base", "quote", "rate", "day", "reason")


def _import(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    done = treasury.import_rates(asked["file"].read(), actor=actor, now=now)
    new = formatting.count(done.new, "rate")
    return f"{new} new, {done.corrected} corrected, {done.known} known already."


def _record(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    base, quote, rate = asked["base"], asked["quote"], asked["rate"]
    row = treasury.record_rate(
        base, quote, rate, day=asked["day"], reason=asked["reason"], actor=actor, now=now
    )
    corrected = " It corrects the one before." if row.corrects_id else ""
    return f"Recorded: {row}.{corrected}"


RATE_ACTS = [
    Act(
        name="import",
        button="Import rates of the ECB",
        about="Rates that are known stay as they are. One that differs is corrected by a newer "
        "row.",
        permission=_RECORD,
        form=FileForm,
        perform=_import,
    ),
    Act(
        name="record",
        button="Record a rate",
        about="It counts before the bank's rate of the same day. Where there is one of yours, the "
        "new one corrects it; none is changed.",
        permission=_RECORD,
        form=RateForm,
        perform=_record,
    ),
]
