"""Which rows a person sees who is bound to a part of the tree of cost centres.

One line for each model that a page shows. A model without a line has no rows for bound people.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache, reduce
from operator import or_
from typing import Any, NamedTuple

from allauth.account.auth_backends import AuthenticationBackend
from django.apps import apps
from django.contrib.auth import get_permission_codename
from django.contrib.auth.models import User
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Q, QuerySet, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Concat
from django.db.models.lookups import In
from django.utils import timezone

from gate.access import access_in_request
from keys.models import Agent, CostCentre, Placement
from security.delegations import is_deputy


class Part(NamedTuple):
    """The part of the tree that a person is bound to, as subqueries."""

    centres: QuerySet[Any]
    agents: QuerySet[Any]
    placements: QuerySet[Any]


Rows = Callable[[Part], Q]


def through(*paths: str) -> Rows:
    """Rows from which one of these paths leads to a cost centre of the part."""
    return lambda part: reduce(or_, (Q(**{f"{path}__in": part.centres}) for path in paths))


def spent(*paths: str) -> Rows:
    """Rows of usage that cost centres of the part paid for, each where it was in the tree then."""
    return lambda part: reduce(or_, (Q(**{f"{path}__in": part.placements}) for path in paths))


def everything(part: Part) -> Q:
    """All rows, to read: bound people change none of them."""
    return Q()


def nothing(part: Part) -> Q:
    """No row."""
    return Q(pk__in=())


def _of_agents(part: Part) -> Q:
    return Q(agent_id__in=part.agents)


def _alerts(part: Part) -> Q:
    """Alerts about an agent or a cost centre of the part."""
    centre = KeyTextTransform("cost_centre", "facts")
    return _of_agents(part) | Q(In(centre, part.centres))


def _about(part: Part) -> Q:
    """Audit entries that name a row of the part, as in `agent:ada`."""
    centres, agents = map(ArraySubquery, _addresses(part))
    return Q(subjects__overlap=centres) | Q(subjects__overlap=agents)


def _asked_for(part: Part) -> Q:
    """Approvals of a change of a row of the part."""
    centres, agents = _addresses(part)
    return Q(subject__in=centres) | Q(subject__in=agents)


def _addresses(part: Part) -> tuple[QuerySet[Any], QuerySet[Any]]:
    return _named("centre", part.centres), _named("agent", part.agents)


def _named(kind: str, slugs: QuerySet[Any]) -> QuerySet[Any]:
    return slugs.values_list(Concat(Value(f"{kind}:"), "slug", output_field=TextField()))


RULES: dict[str, Rows] = {
    "keys.costcentre": through("pk"),
    "keys.agent": through("cost_centre"),
    "keys.agenttoken": through("agent__cost_centre"),
    "keys.limit": through("cost_centre", "agent__cost_centre"),
    "keys.grant": through("limit__cost_centre", "limit__agent__cost_centre"),
    "keys.window": through("limit__cost_centre", "limit__agent__cost_centre"),
    "keys.thresholdcrossing": through(
        "window__limit__cost_centre", "window__limit__agent__cost_centre"
    ),
    "keys.allocation": spent("placement"),
    "keys.charge": spent("allocation__placement"),
    "keys.adjustment": spent("allocation__placement"),
    "keys.settledusage": spent("allocation__placement"),
    "keys.usageslice": spent("placement"),
    "keys.usageday": spent("placement"),
    "keys.slot": spent("allocation__placement"),
    "orchestration.task": through("cost_centre"),
    "orchestration.subtask": through("task__cost_centre"),
    "orchestration.attempt": through("task__cost_centre"),
    "orchestration.experiment": through("agent__cost_centre"),
    "orchestration.experimentpart": through("experiment__agent__cost_centre"),
    "reports.closeline": spent("placement"),
    "gateway.exchange": through("cost_centre"),
    "gateway.retention": through("cost_centre"),
    # No page lists it.
    "gateway.repeatedinput": nothing,
    "alerts.alert": _alerts,
    "security.auditentry": _about,
    "security.approval": _asked_for,
    # What the cost centres have in common.
    "keys.provider": everything,
    "keys.cataloguemodel": everything,
    "keys.modelalias": everything,
    "keys.modelfallback": everything,
    "keys.organisation": everything,
    "keys.price": everything,
    "security.approvalpolicy": everything,
    "reports.datenote": everything,
    # Other rows lead to where cost centres were.
    "keys.placement": nothing,
    # An API key serves all cost centres, and so do its figures.
    "keys.apikey": nothing,
    "keys.rotationrun": nothing,
    # The footer of each page says how the last one ended.
    "keys.bookscheck": nothing,
    "keys.chargepartition": nothing,
    "gate.reveal": nothing,
    "gate.accessreview": nothing,
    "gate.accessreviewline": nothing,
    "gate.finding": nothing,
    # One may be of everything.
    "keys.freeze": nothing,
    # It is over the rows of all.
    "alerts.channel": nothing,
    "alerts.notification": nothing,
    "alerts.signingsecret": nothing,
    "alerts.route": nothing,
    "alerts.routerecipient": nothing,
    "alerts.alertrule": nothing,
    "alerts.ruleincident": nothing,
    "security.seal": nothing,
    # People see their own on their page.
    "security.delegation": nothing,
    "orchestration.command": nothing,
    "orchestration.concurrency": nothing,
    "auth.user": nothing,
    "auth.group": nothing,
    # Its figures are those of all; its lines are each of a cost centre.
    "reports.monthclose": nothing,
    "reports.costshare": nothing,
    "reports.markup": nothing,
    "reports.openestimate": nothing,
    # Money is the organisation's.
    "treasury.account": nothing,
    "treasury.transfer": nothing,
    "treasury.closedperiod": nothing,
    "treasury.consumption": nothing,
    "treasury.consumptionrun": nothing,
    "treasury.payee": nothing,
    "treasury.railaccount": nothing,
    "treasury.collection": nothing,
    "treasury.refund": nothing,
    "treasury.payout": nothing,
    "treasury.railevent": nothing,
    "treasury.rejectedwebhooks": nothing,
    "treasury.purchasepolicy": nothing,
    "treasury.purchase": nothing,
    "treasury.purchaseattempt": nothing,
    "treasury.purchasestep": nothing,
    "treasury.purchasereceipt": nothing,
    "treasury.reloadevidence": nothing,
    "treasury.x402allowance": nothing,
    "treasury.x402payment": nothing,
    "treasury.providerreport": nothing,
    "treasury.reportline": nothing,
    "treasury.reportaccess": nothing,
    "treasury.reportday": nothing,
    "treasury.providername": nothing,
    "treasury.reconciliationrun": nothing,
    "treasury.difference": nothing,
    "treasury.exchangerate": nothing,
    "treasury.railstatement": nothing,
    "treasury.railstatementline": nothing,
    "treasury.railmatch": nothing,
    "treasury.balanceaccess": nothing,
    "treasury.balancesnapshot": nothing,
    "treasury.expiringcredit": nothing,
    "treasury.spendcap": nothing,
    # What was learned is of all; what came of it is of a cost centre.
    "prediction.forecastmodel": everything,
    "prediction.settledwork": through("cost_centre"),
    "prediction.centreforecast": through("cost_centre"),
    "prediction.anomaly": through("cost_centre"),
    "prediction.expectedanomaly": through("cost_centre"),
    "prediction.saving": through("cost_centre"),
    # No page lists them.
    "reports.colourslot": nothing,
    # A person sees their own, see `reports.queries`.
    "reports.savedview": nothing,
    "reports.exportfile": nothing,
    "django_q.failure": nothing,
    "django_q.ormq": nothing,
    "django_q.schedule": nothing,
    "django_q.success": nothing,
}


def visible(user: Any, rows: QuerySet[Any]) -> QuerySet[Any]:
    """The rows that the person may see: all, or those of the part they are bound to."""
    bound = bindings(user)
    if not bound:
        return rows
    return rows.filter(RULES.get(rows.model._meta.label_lower, nothing)(_part(bound)))


def within(cost_centre: str, rows: QuerySet[Any]) -> QuerySet[Any]:
    """The rows of this cost centre and of those below it."""
    return rows.filter(RULES.get(rows.model._meta.label_lower, nothing)(_part([cost_centre])))


def bindings(user: Any) -> Sequence[str]:
    """The cost centres that the person is bound to; read once for each request.

    An audience of a live page knows its own.
    """
    if user.is_superuser or not user.is_authenticated:
        return []
    known: Sequence[str] | None = getattr(user, "bound_centres", None)
    return sorted(access_in_request(user).centres) if known is None else known


def _part(bound: Sequence[str]) -> Part:
    centres = CostCentre.objects.filter(path__overlap=bound).order_by()
    agents = Agent.objects.filter(cost_centre__in=centres.values("slug")).order_by()
    placements = Placement.objects.filter(path__overlap=bound).order_by()
    return Part(centres.values("slug"), agents.values("slug"), placements.values("pk"))


class People(AuthenticationBackend):  # type: ignore[misc]  # allauth has no types
    """Django's users and permissions, less what bound people may not do.

    What is not of one cost centre they may look at only, and what `RULES` hides not even that.
    """

    def get_user(self, user_id: Any) -> User | None:
        """The person of a request, with `is_deputy`; None if they may not sign in."""
        rows = User.objects.annotate(is_deputy=is_deputy(timezone.now()))
        found = rows.filter(pk=user_id).first()
        return found if found and self.user_can_authenticate(found) else None

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """The permissions of the person, as `app.codename`."""
        permissions: set[str] = super().get_all_permissions(user_obj, obj)
        return (
            {each for each in permissions if _leaves(each)} if bindings(user_obj) else permissions
        )


def _leaves(permission: str) -> bool:
    rule = RULES.get(_models().get(permission, ""), nothing)
    return rule is not nothing and (rule is not everything or ".view_" in permission)


@cache
def _models() -> dict[str, str]:
    """The model of each permission."""
    return {
        f"{model._meta.app_label}.{codename}": model._meta.label_lower
        for model in apps.get_models()
        for codename in _codenames(model._meta)
    }


def _codenames(options: Any) -> Iterator[str]:
    yield from (get_permission_codename(verb, options) for verb in options.default_permissions)
    yield from (codename for codename, _ in options.permissions)
