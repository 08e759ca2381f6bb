"""From which amount budget requests need two persons, or a group: for all, or a cost centre."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.auth.models import Group
from django.db.models import QuerySet

from dashboard.acts import Act, ActForm, Outcome
from keys.models import CostCentre
from security import services as security
from security.actor import Actor
from security.approvals import kind_of
from security.deciders import policy_of
from security.models import ApprovalPolicy

_KIND = "budget_request"


class PolicyForm(ActForm):
    """Asks for thresholds and who decides above them, beginning with the policy for all."""

    cost_centre = forms.ModelChoiceField(
        CostCentre.objects.open().order_by("path"),
        required=False,
        empty_label="all",
        help_text="A policy of a cost centre counts there and below, in place of the one for all.",
    )
    in_force = forms.BooleanField(
        required=False,
        initial=True,
        help_text="If not, one person approves every amount, or the policy for all counts.",
    )
    usd_above = forms.DecimalField(
        label="USD above",
        required=False,
        min_value=Decimal(0),
        max_digits=24,
        decimal_places=9,
        help_text="For requests of more US dollars than this.",
    )
    tokens_above = forms.DecimalField(
        required=False,
        min_value=Decimal(0),
        max_digits=24,
        decimal_places=0,
        help_text="For requests of more tokens than this.",
    )
    rise_percent_above = forms.IntegerField(
        label="Percent above",
        required=False,
        min_value=0,
        max_value=1_000_000,
        help_text="For requests of more than this percentage of the limit.",
    )
    above_needs = forms.ChoiceField(label="Approved by", choices=ApprovalPolicy.Above.choices)
    role = forms.ModelChoiceField(
        Group.objects.order_by("name"),
        label="Group",
        required=False,
        empty_label="all who may decide",
        help_text="For two persons, the group approves smaller requests, too.",
    )
    field_order = (
        *("cost_centre", "in_force", "usd_above", "tokens_above", "rise_percent_above"),
        *("above_needs", "role", "reason"),
    )

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        centre: Any = self.fields["cost_centre"]
        # A policy of one that was closed since can still be taken back.
        centre.queryset = CostCentre.objects.open(kept=_in_force().values("cost_centre"))
        policy = policy_of(kind_of(_KIND))
        if policy.in_force_since:
            names = ("usd_above", "tokens_above", "rise_percent_above", "above_needs")
            terms = security.terms_of(policy)
            self.initial.update({name: getattr(terms, name) for name in names})
            self.initial["role"] = policy.role

    def clean(self) -> dict[str, Any]:
        """A group is needed where only its members approve."""
        asked: dict[str, Any] = super().clean() or {}
        if asked.get("above_needs") == ApprovalPolicy.Above.ROLE and not asked.get("role"):
            self.add_error("role", "Choose the group whose members approve.")
        return asked


def _set(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    centre, role = asked["cost_centre"], asked["role"]
    names = ("in_force", "usd_above", "tokens_above", "rise_percent_above", "above_needs")
    terms = security.PolicyTerms(
        role=role.name if role else "", **{name: asked[name] for name in names}
    )
    waits = security.propose_policy(
        kind_of(_KIND),
        terms=terms,
        cost_centre=centre.pk if centre else "",
        reason=asked["reason"],
        actor=actor,
        now=now,
    )
    return waits or "The rule counts for requests from now on. Those that wait keep theirs."


SET_RULE = Act(
    name="rule",
    button="Rule for budget requests",
    about="From which amount budget requests need two persons, or a person of a group. Of several "
    "thresholds, one is enough. Changing a rule that is in force needs a second person.",
    permission="security.change_approvalpolicy",
    form=PolicyForm,
    perform=_set,
)


def rules_in_words() -> list[tuple[str, str]]:
    """The rules in force, each with its cost centre (empty: all)."""
    return [
        (each.cost_centre, security.terms_in_words(security.terms_of(each), kind_of(_KIND)))
        for each in _in_force().select_related("role").order_by("cost_centre")
    ]


def _in_force() -> QuerySet[ApprovalPolicy]:
    return ApprovalPolicy.objects.filter(kind=_KIND).exclude(in_force_since=None)
