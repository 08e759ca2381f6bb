"""Search over what has a name: keys, agents, tasks, cost centres, providers; charges and alerts by
id."""

from collections.abc import Callable
from typing import Any, NamedTuple

from django.db.models import Model, Q

from alerts.models import Alert
from common import links
from common.admin.visible_rows import visible_to
from keys.models import Agent, ApiKey, Charge, CostCentre, Provider
from orchestration.models import Task

MOST = 6
TEXT_MAX = 100
# The largest id that a row can have.
_ID_DIGITS_MAX = 18


class Found(NamedTuple):
    """A row: what it is called, what more to say of it, and its page."""

    title: str
    note: str
    url: str


class Section(NamedTuple):
    """The rows of one kind that were found."""

    title: str
    rows: list[Found]


class _Kind(NamedTuple):
    title: str
    model: type[Model]
    # The kind of page in `common.links`.
    page: str
    matches: Callable[[str], Q]
    name: Callable[[Any], str]
    note: Callable[[Any], str]
    order: str = "slug"


def _slug_or_name(text: str) -> Q:
    return Q(slug__icontains=text) | Q(name__icontains=text)


def _id(text: str) -> Q:
    is_id = text.isascii() and text.isdigit() and len(text) <= _ID_DIGITS_MAX
    return Q(pk=int(text)) if is_id else Q(pk__in=[])


_KINDS = (
    _Kind(
        "Keys",
        ApiKey,
        "key",
        lambda text: Q(slug__icontains=text) | Q(model__icontains=text),
        lambda key: key.slug,
        lambda key: f"{key.provider_id} · {key.model} · {key.status}",
    ),
    _Kind(
        "Agents",
        Agent,
        "agent",
        _slug_or_name,
        lambda agent: agent.slug,
        lambda agent: f"{agent.name} · {agent.cost_centre_id}",
    ),
    _Kind(
        "Tasks",
        Task,
        "task",
        lambda text: Q(name__icontains=text) | _id(text),
        lambda task: task.name,
        lambda task: f"Task {task.pk} · {task.agent_id} · {task.status}",
        order="-pk",
    ),
    _Kind(
        "Cost centres",
        CostCentre,
        "budget",
        _slug_or_name,
        lambda centre: centre.slug,
        lambda centre: centre.name,
    ),
    _Kind(
        "Providers",
        Provider,
        "provider",
        _slug_or_name,
        lambda provider: provider.slug,
        lambda provider: provider.name,
    ),
    _Kind(
        "Charges",
        Charge,
        "charge",
        _id,
        lambda charge: f"Charge {charge.pk}",
        lambda charge: f"{charge.model} · {charge.status}",
        order="pk",
    ),
    _Kind(
        "Alerts",
        Alert,
        "alert",
        _id,
        lambda alert: alert.title,
        lambda alert: f"Alert {alert.pk} · {alert.severity} · {alert.status}",
        order="pk",
    ),
)


def search(user: Any, text: str) -> list[Section]:
    """What `user` may see and is called so: at most some rows of each kind, and no empty kinds."""
    text = text.replace("\0", "").strip()[:TEXT_MAX]
    if not text:
        return []
    sections = (_section(user, kind, text) for kind in _KINDS)
    return [section for section in sections if section.rows]


def _section(user: Any, kind: _Kind, text: str) -> Section:
    meta, matches = kind.model._meta, kind.matches(text)
    if not user.has_perm(f"{meta.app_label}.view_{meta.model_name}"):
        return Section(kind.title, [])
    rows = visible_to(user, kind.model._default_manager.filter(matches))
    found = [
        Found(kind.name(row), kind.note(row), links.url(kind.page, row.pk))
        for row in rows.order_by(kind.order)[:MOST]
    ]
    return Section(kind.title, found)
