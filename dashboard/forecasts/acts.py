"""What people may do: use another version, and set by which quantile budgets are sized."""

from datetime import datetime
from typing import Any

from django import forms

from dashboard.acts import Act, ActForm, Outcome
from keys.models import CostCentre
from prediction import services as prediction
from prediction.models import CentreForecast, ForecastModel, Share
from security.actor import Actor

_RULE = "rule"


class VersionForm(ActForm):
    """Asks which version, and why."""

    version = forms.ChoiceField(
        help_text="The version that forecasts follow from now on. Budgets that were lent stay."
    )
    field_order = ("version", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        kept = ForecastModel.objects.filter(content__isnull=False, in_use=False)
        named = [(str(each.pk), f"{each}, {each.rows:,} rows") for each in kept.order_by("-pk")]
        self.fields["version"].choices = [  # type: ignore[attr-defined]
            *named,
            (_RULE, "none: the rule of words"),
        ]


class ShareForm(ActForm):
    """Asks for a cost centre and a quantile, and why."""

    cost_centre = forms.ChoiceField(help_text="The cost centre, with those below it.")
    share = forms.ChoiceField(
        required=False,
        choices=[("", "as the cost centre above"), *Share.choices],
        help_text="How surely a budget is enough that an agent requests with a text.",
    )
    field_order = ("cost_centre", "share", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        shares = dict(CentreForecast.objects.values_list("cost_centre_id", "share"))
        # What was set for one that was closed since can still be taken back.
        centres = CostCentre.objects.open(kept=shares)
        self.fields["cost_centre"].choices = [  # type: ignore[attr-defined]
            (each.pk, f"{each} ({shares[each.pk]})" if each.pk in shares else str(each))
            for each in centres
        ]


def _use(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    version = None if asked["version"] == _RULE else int(asked["version"])
    prediction.activate(version, actor=actor, reason=asked["reason"], now=now)
    if version is None:
        return "Forecasts follow the rule of words, until somebody chooses a version."
    return f"Forecasts follow version {version}."


def _share(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    prediction.set_share(
        asked["cost_centre"], share=asked["share"], reason=asked["reason"], actor=actor, now=now
    )
    return f"Budgets of {asked['cost_centre']} are sized as you say."


FORECAST_ACTS = (
    Act(
        name="use",
        button="Use another version",
        about="Forecasts follow the version that you choose, within ten seconds in all processes. "
        "Versions that are learned later replace the newest one by themselves; an older one, or "
        "the rule of words, stays until somebody chooses another.",
        perform=_use,
        permission="prediction.change_forecastmodel",
        form=VersionForm,
    ),
    Act(
        name="share",
        button="Size budgets",
        about="An agent that requests a budget with a text gets as many tokens as are enough in so "
        "many cases. Without a line, that is P90.",
        perform=_share,
        permission="prediction.change_centreforecast",
        form=ShareForm,
    ),
)
