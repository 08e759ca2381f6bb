"""Who spends and who pays: cost centres, agents and their tokens."""

from typing import Any

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from common import row_triggers
from common.money_fields import created_at_field


def _allow_list(help_text: str) -> "ArrayField[list[str], list[str]]":
    return ArrayField(
        models.CharField(max_length=200), db_default=[], blank=True, help_text=help_text
    )


# The row of the parent is locked, so that it cannot be closed in the meantime.
_CLOSES_WITH_ALL_BELOW = """
    IF TG_OP = 'UPDATE' AND (NEW.closed_at, NEW.parent_id)
                            IS NOT DISTINCT FROM (OLD.closed_at, OLD.parent_id) THEN
        RETURN NEW;
    ELSIF NEW.closed_at IS NULL THEN
        IF (SELECT closed_at FROM keys_costcentre WHERE slug = NEW.parent_id FOR SHARE) IS NOT NULL
        THEN
            RAISE EXCEPTION 'costcentre_closes_with_all_below: the one above % is closed', NEW.slug
                  USING ERRCODE = 'check_violation';
        END IF;
    ELSIF EXISTS (SELECT FROM keys_costcentre WHERE parent_id = NEW.slug AND closed_at IS NULL)
       OR EXISTS (SELECT FROM keys_agent WHERE cost_centre_id = NEW.slug AND disabled_at IS NULL)
    THEN
        RAISE EXCEPTION 'costcentre_closes_with_all_below: % has open rows below', NEW.slug
              USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""
# Those below a cost centre that moves get their paths after it, in the same transaction.
_IS_BELOW_ITS_PARENT = """
    IF TG_OP = 'UPDATE' AND (NEW.path, NEW.parent_id)
                            IS NOT DISTINCT FROM (OLD.path, OLD.parent_id) THEN
        RETURN NEW;
    ELSIF NEW.path IS DISTINCT FROM
          coalesce((SELECT path FROM keys_costcentre WHERE slug = NEW.parent_id FOR SHARE), '{}')
              || NEW.slug THEN
        RAISE EXCEPTION 'costcentre_is_below_its_parent: % is not at %', NEW.slug, NEW.path
              USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""
_HAS_A_PLACEMENT = """
    INSERT INTO keys_placement (cost_centre_id, path) VALUES (NEW.slug, NEW.path)
        ON CONFLICT DO NOTHING;
    RETURN NULL;
"""
_IS_OF_AN_OPEN_CENTRE = """
    IF TG_OP = 'UPDATE' AND (NEW.disabled_at, NEW.cost_centre_id)
                            IS NOT DISTINCT FROM (OLD.disabled_at, OLD.cost_centre_id) THEN
        RETURN NEW;
    ELSIF (SELECT closed_at FROM keys_costcentre WHERE slug = NEW.cost_centre_id FOR SHARE)
          IS NOT NULL THEN
        RAISE EXCEPTION 'agent_is_of_an_open_centre: % is closed', NEW.cost_centre_id
              USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""


class CostCentreQuerySet(models.QuerySet["CostCentre"]):
    """Filters of cost centres."""

    def open(self, *, kept: Any = ()) -> "CostCentreQuerySet":
        """Those that can pay, for choices: none that is closed, unless the row that is changed
        names it already. `kept`: those names, or a query of them."""
        return self.filter(Q(closed_at=None) | Q(pk__in=kept))


class CostCentre(models.Model):
    """A cost centre, which pays: a node of a tree (organisation → team → project).

    open ──close──▶ closed ──reopen──▶ open      with all below it, whose agents are switched off

    `path` has the slugs from the root to this node. What was spent before a node moved stays where
    it was, see `Placement`.
    """

    class Guard(models.TextChoices):
        """What happens to a call whose request has credentials, see `gateway.outbound_guard`."""

        OFF = "off", "Do not look for credentials"
        FLAG = "flag", "Let the call go on, and raise an alert"
        REFUSE = "refuse", "Refuse the call, and raise an alert"

    class LearnedHolds(models.TextChoices):
        """Which calls that do not fit may hold less than their bound, see
        `gateway.output_limits`."""

        NEVER = "never", "None: they wait until they fit"
        NO_MAXIMUM = "no_maximum", "Those whose client set no maximum of the answer"
        ALWAYS = "always", "All; longer answers are cut"

    slug = models.SlugField(
        primary_key=True,
        max_length=64,
        help_text="The name of the cost centre in the API. It cannot be changed later.",
    )
    name = models.CharField(max_length=200, help_text="The name of the cost centre on pages.")
    parent = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        help_text="The cost centre above this one.",
    )
    path = ArrayField(models.SlugField(max_length=64), editable=False)
    outbound_guard = models.CharField(
        max_length=6,
        choices=Guard,
        blank=True,
        db_default="",
        help_text="What happens to a call that would send credentials to a provider. Leave empty "
        "to inherit from the cost centre above; at the top, empty means off.",
    )
    learned_holds = models.CharField(
        max_length=10,
        choices=LearnedHolds,
        blank=True,
        db_default="",
        help_text="Which calls that do not fit into a budget hold what earlier answers make likely "
        "instead of waiting. Leave empty to inherit from the cost centre above; at the top, empty "
        "means what BUTLER_GATEWAY_LEARNED_HOLDS says.",
    )
    allowed_models = _allow_list(
        "The models that the cost centre and those below it may use: names, or patterns "
        "such as claude-*. An empty list allows all."
    )
    allowed_providers = _allow_list(
        "The providers that the cost centre and those below it may use: names or "
        "patterns. An empty list allows all."
    )
    closed_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When the cost centre was closed. Nothing new is lent in its name from then on.",
    )
    created_at = created_at_field()

    objects = CostCentreQuerySet.as_manager()

    class Meta:
        ordering = ["path"]
        verbose_name = "cost centre"
        triggers = [
            row_triggers.write_once("costcentre_keeps_its_slug", "slug"),
            pgtrigger.Trigger(
                name="costcentre_is_below_its_parent",
                operation=pgtrigger.Insert | pgtrigger.Update,
                when=pgtrigger.Before,
                func=_IS_BELOW_ITS_PARENT,
            ),
            pgtrigger.Trigger(
                name="costcentre_has_a_placement",
                operation=pgtrigger.Insert | pgtrigger.Update,
                when=pgtrigger.After,
                func=_HAS_A_PLACEMENT,
            ),
            pgtrigger.Trigger(
                name="costcentre_closes_with_all_below",
                operation=pgtrigger.Insert | pgtrigger.Update,
                when=pgtrigger.Before,
                func=_CLOSES_WITH_ALL_BELOW,
            ),
        ]

    def __str__(self) -> str:
        return " / ".join(self.path) + (" (closed)" if self.closed_at else "")


class Agent(models.Model):
    """A program that spends tokens on behalf of one cost centre."""

    slug = models.SlugField(
        primary_key=True,
        max_length=64,
        help_text="The name of the agent in the API. It cannot be changed later.",
    )
    name = models.CharField(max_length=200, help_text="The name of the agent on pages.")
    cost_centre = models.ForeignKey(
        CostCentre,
        models.PROTECT,
        related_name="agents",
        help_text="The cost centre that pays for the agent.",
    )
    disabled_at = models.DateTimeField(
        null=True, blank=True, help_text="When the agent was switched off."
    )
    allowed_models = _allow_list(
        "The models that the agent may use: names, or patterns "
        "such as claude-*. An empty list allows all."
    )
    allowed_providers = _allow_list(
        "The providers that the agent may use: names or patterns. An empty list allows all."
    )
    created_at = created_at_field()

    class Meta:
        ordering = ["slug"]
        triggers = [
            pgtrigger.Trigger(
                name="agent_is_of_an_open_centre",
                operation=pgtrigger.Insert | pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.Condition("NEW.disabled_at IS NULL"),
                func=_IS_OF_AN_OPEN_CENTRE,
            )
        ]

    def __str__(self) -> str:
        return self.slug


class AgentToken(models.Model):
    """An agent's credential with Butler: shown once, stored as a keyed hash.

    An agent can have two live tokens, so that it can change from one to the other without a gap.
    """

    class Scope(models.TextChoices):
        SPEND = "spend", "allocate, report usage, rotate and complete"
        READ = "read", "read its own allocations, usage and history"
        OPERATE = "operate", "read every agent's rows and handle alerts"
        FINANCE = "finance", "read the organisation's money: accounts, transfers, purchases, credit"

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="tokens")
    prefix = models.CharField(
        max_length=16, unique=True, help_text="The beginning of the token, which identifies it."
    )
    digest = models.BinaryField(max_length=32)
    scopes = ArrayField(
        models.CharField(max_length=16, choices=Scope.choices),
        help_text="What the token allows.",
    )
    expires_at = models.DateTimeField(help_text="When the token stops working.")
    revoked_at = models.DateTimeField(null=True, blank=True, help_text="When it was revoked.")
    last_used_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was last used, to the minute."
    )
    created_at = created_at_field()

    class Meta:
        verbose_name = "agent token"
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("created_at")),
                name="agenttoken_expires_after_it_was_made",
            )
        ]

    def __str__(self) -> str:
        return f"{self.agent_id} {self.prefix}…"
