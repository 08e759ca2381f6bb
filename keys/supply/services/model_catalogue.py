"""Change lines of the model catalogue."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from keys.audit_actions import Action
from keys.models import ApiKey, CatalogueModel
from keys.refusals import ModelNotFound, WrongValue
from security import audit
from security.actor import Actor

CHANGEABLE = ("aliases", "pattern", "context_tokens", "output_tokens_max", "outputs")


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
    if unknown := set(changes) - set(CHANGEABLE):
        raise WrongValue(f"Leave out {min(unknown)}, which cannot be changed.", field=min(unknown))
    line = CatalogueModel.objects.select_for_update(no_key=True)
    model = line.filter(provider=provider, name=name).first()
    if model is None:
        raise ModelNotFound(model=name)
    check_pattern(changes.get("pattern", ""))
    changes = {**changes, "aliases": [a.lower() for a in changes.get("aliases", model.aliases)]}
    before = {field: getattr(model, field) for field in changes}
    if before == changes:
        return model
    for field, value in changes.items():
        setattr(model, field, value)
    model.source = actor.name[:100]
    model.save(update_fields=[*changes, "source"])
    # The gateway reads a key again when its row is new.
    ApiKey.objects.filter(served_models__model=model).update(serves=F("serves"))
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


def check_pattern(pattern: str) -> None:
    """Refuse what is no regular expression. Refusals: WrongValue."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise WrongValue(
            f"Enter a regular expression as the pattern: {error}.", field="pattern"
        ) from None
