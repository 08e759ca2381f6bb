"""Names of the organisation that mean a model."""

from datetime import datetime

from django.db import transaction

from keys.audit_actions import Action
from keys.models import ModelAlias
from keys.patterns import pattern_mistake
from keys.reasons import check_reason
from keys.refusals import WrongValue
from keys.supply.queries.model_policies import is_served
from security import audit
from security.actor import Actor


def check_alias(name: str, *, model: str) -> None:
    """Refuse what cannot be an alias of `model`. Refusals: WrongValue.

    Since an API key must serve the model, an alias of an alias, and so a loop, is refused too.
    """
    if mistake := pattern_mistake(name):
        raise WrongValue(mistake, field="name")
    if not is_served(model):
        raise WrongValue(
            f"No API key serves {model}. Enter a model that an API key serves, not another alias.",
            field="model",
        )


@transaction.atomic
def set_model_alias(
    name: str, *, model: str, position: int = 0, actor: Actor, reason: str = "", now: datetime
) -> ModelAlias:
    """Let a name or a pattern mean `model`. The gateway follows within seconds.

    Refusals: WrongValue.
    """
    name = name.lower()
    check_alias(name, model=model)
    earlier = ModelAlias.objects.select_for_update().filter(name=name).first()
    before = _terms(earlier) if earlier else None
    alias, _ = ModelAlias.objects.update_or_create(
        name=name, defaults={"model": model, "position": position}
    )
    audit.record(
        actor=actor,
        action=Action.MODEL_ALIAS_SET,
        subject=f"model_alias:{alias.pk}",
        before=before,
        after=_terms(alias),
        reason=reason,
        at=now,
    )
    return alias


@transaction.atomic
def remove_model_alias(alias: ModelAlias, *, actor: Actor, reason: str, now: datetime) -> None:
    """Let the name mean nothing. A second call changes nothing. Refusals: WrongValue."""
    check_reason(reason)
    removed, _ = ModelAlias.objects.filter(pk=alias.pk).delete()
    if removed:
        audit.record(
            actor=actor,
            action=Action.MODEL_ALIAS_REMOVE,
            subject=f"model_alias:{alias.pk}",
            before=_terms(alias),
            reason=reason,
            at=now,
        )


def _terms(alias: ModelAlias) -> dict[str, object]:
    return {"name": alias.name, "model": alias.model, "position": alias.position}
