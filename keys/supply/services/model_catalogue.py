"""Change lines of the model catalogue."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from keys.audit_actions import Action
from keys.models import ApiKey, CatalogueModel
from keys.reasons import check_reason
from keys.refusals import ModelNotFound, WrongValue
from keys.supply.bundled_models import (
    DATA,
    SOURCE,
    bundled_columns,
    bundled_model,
)
from keys.supply.model_facts import ModelFacts, facts_from_columns
from security import audit
from security.actor import Actor

CHANGEABLE = (
    "aliases",
    "pattern",
    "context_tokens",
    "output_tokens_max",
    "outputs",
    *ModelFacts._fields,
)
# Of keys from before there was a catalogue.
_OLD_SOURCE = "keys of before"


@transaction.atomic
def change_model(
    provider: str,
    name: str,
    *,
    changes: Mapping[str, Any],
    actor: Actor,
    reason: str,
    now: datetime,
) -> CatalogueModel:
    """Change what is known of a model: fields of CHANGEABLE. The gateway follows within seconds.

    Refusals: ModelNotFound, WrongValue.
    """
    check_reason(reason)
    if unknown := set(changes) - set(CHANGEABLE):
        raise WrongValue(f"Leave out {min(unknown)}, which cannot be changed.", field=min(unknown))
    line = CatalogueModel.objects.select_for_update(no_key=True)
    model = line.filter(provider=provider, name=name).first()
    if model is None:
        raise ModelNotFound(model=name)
    check_pattern(changes.get("pattern", ""))
    changes = {**changes, "aliases": [a.lower() for a in changes.get("aliases", model.aliases)]}
    facts_from_columns(
        {name: changes.get(name, getattr(model, name)) for name in ModelFacts._fields}
    )
    before = {field: getattr(model, field) for field in changes}
    if before == changes:
        return model
    for field, value in changes.items():
        setattr(model, field, value)
    model.source = actor.name[:100]
    model.save(update_fields=[*changes, "source"])
    _read_again([model])
    audit.record(
        actor=actor,
        action=Action.MODEL_CHANGE,
        subject=f"model:{model.pk}",
        related=[f"provider:{provider}"],
        before=before,
        after=changes,
        reason=reason,
        at=now,
    )
    return model


@transaction.atomic
def refresh_catalogue() -> int:
    """Bring the lines that no user has changed up to what the bundled data of this version says.

    Returns how many changed. The gateway follows within seconds.
    """
    lines = CatalogueModel.objects.select_for_update(no_key=True).order_by("pk")
    untouched = lines.filter(Q(source__startswith=f"{DATA} ") | Q(source=_OLD_SOURCE))
    changed = [model for model in untouched if _refresh(model)]
    CatalogueModel.objects.bulk_update(changed, [*CHANGEABLE, "source"])
    _read_again(changed)
    return len(changed)


def _refresh(model: CatalogueModel) -> bool:
    columns = bundled_columns(bundled_model(model.provider_id, model.name))
    differing = {name: value for name, value in columns.items() if getattr(model, name) != value}
    for name, value in differing.items():
        setattr(model, name, value)
    model.source = SOURCE
    return bool(differing)


def _read_again(models: list[CatalogueModel]) -> None:
    """The gateway reads a key again when its row is new."""
    keys = ApiKey.objects.filter(served_models__model__in=models)
    ApiKey.objects.filter(pk__in=keys.order_by().values("pk")).update(serves=F("serves"))


def check_pattern(pattern: str) -> None:
    """Refuse what is no regular expression. Refusals: WrongValue."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise WrongValue(
            f"Enter a regular expression as the pattern: {error}.", field="pattern"
        ) from None
