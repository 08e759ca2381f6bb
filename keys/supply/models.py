"""The supply of tokens: providers, prices and API keys."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.functional import cached_property

from common import row_triggers
from common.money_fields import created_at_field, usd
from keys.supply.model_facts import (
    ADDED_PARAMETERS,
    OUTPUT_FIELDS,
    TOKENIZERS,
    ModelFacts,
    facts_from_columns,
)
from keys.supply.pricing import (
    NO_FEES,
    RATE_NAMES,
    Rates,
    bundled_provider_id,
    served_rates,
    tiers_from_json,
    variants_from_json,
)
from security.fields import SealedField


class WireFormat(models.TextChoices):
    """The format of the requests and responses of an API."""

    OPENAI = "openai", "OpenAI"
    ANTHROPIC = "anthropic", "Anthropic"


class Provider(models.Model):
    """A provider, which sells tokens. `wire_format`: that of its API; blank: both formats."""

    slug = models.SlugField(
        primary_key=True,
        max_length=64,
        help_text="The name of the provider in the API. It cannot be changed later.",
    )
    name = models.CharField(max_length=200, help_text="The name of the provider on pages.")
    base_url = models.URLField(
        blank=True,
        help_text="The URL of the provider's API. The secrets of its keys are sent there, so if "
        "you change it, the keys are switched off until their secrets are entered again.",
    )
    wire_format = models.CharField(
        max_length=9,
        choices=WireFormat,
        db_default=WireFormat.OPENAI,
        blank=True,
        help_text="The wire format of the provider's API. Leave it blank if the API has both.",
    )
    created_at = created_at_field()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


class Price(models.Model):
    """The price of a model from `starts_at` on: a line of the price book, USD per 1,000 tokens,
    and per 1,000 requests and web searches by the provider.

    A row never changes: a new price is a new row, so a charge that points here keeps its rates. A
    rate that is NULL falls back: `cache_write_long` (kept for an hour) to `cache_write`, audio and
    images to `input` and `output`; `web_search` is NULL where the price of searches is not known.
    `tiers` are the rates of long prompts, `variants` those of other service tiers, times of the day
    and kinds of search, see `pricing.Rates`; `tier_max` is the highest rate of them.
    """

    provider = models.ForeignKey(Provider, models.PROTECT, related_name="prices")
    model = models.CharField(max_length=200)
    input = usd()
    cached = usd()
    cache_write = usd()
    output = usd()
    cache_write_long = usd(null=True)
    audio_input = usd(null=True)
    audio_output = usd(null=True)
    image_input = usd(null=True)
    image_output = usd(null=True)
    request = usd(default=Decimal(0), db_default=0)
    web_search = usd(null=True)
    tiers = models.JSONField(db_default=[])
    variants = models.JSONField(db_default=[])
    tier_max = usd(db_default=0)
    source = models.CharField(
        max_length=100, help_text="The version of genai-prices, or who set the price."
    )
    starts_at = models.DateTimeField()

    class Meta:
        ordering = ["provider", "model", "-starts_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(input__gte=0, cached__gte=0, cache_write__gte=0, output__gte=0),
                name="price_is_not_negative",
            )
        ]
        triggers = [row_triggers.append_only("price_is_append_only")]

    def __str__(self) -> str:
        return f"{self.provider_id} {self.model} from {self.starts_at:%Y-%m-%d}"

    @cached_property
    def rates(self) -> Rates:
        """The rates as plain values; cached, since a row never changes."""
        return Rates(
            **{name: getattr(self, name) for name in (*RATE_NAMES, *NO_FEES)},
            tiers=tiers_from_json(self.tiers),
            variants=variants_from_json(self.variants),
        )

    def served_rates(self, *, service_tier: str, at: datetime, search_kind: str = "") -> Rates:
        """The rates of a request that was served as `service_tier` and completed at `at`."""
        return served_rates(
            self.rates,
            provider=bundled_provider_id(self.provider_id),
            service_tier=service_tier,
            at=at,
            search_kind=search_kind,
        )

    @property
    def token_cost_max(self) -> Decimal:
        """The most one token can cost, in US dollars, however the request is served."""
        return self.rates.max / 1000

    def token_cost_max_as(self, service_tiers: Collection[str]) -> Decimal:
        """The most one token can cost in a request that is served as one of these tiers."""
        return self.rates.max_of(service_tiers) / 1000


class ApiKey(models.Model):
    """A credential with a provider, and the terms on which Butler lends its tokens.

    active ◀──window has room / cooled── exhausted, cooling
    active ──switched off─▶ inactive     active ──provider says it is invalid─▶ broken
    active ──provider denies access without saying why─▶ suspended ──probe─▶ active, broken

    Cooling and suspended keys are not lent before `cooling_until`; then they are, whether or not a
    job has made them active. `suspended_times`: suspensions since the provider last accepted the
    key; each is twice as long as the one before.
    """

    class Status(models.TextChoices):
        ACTIVE = "active"
        INACTIVE = "inactive"
        EXHAUSTED = "exhausted"
        COOLING = "cooling"
        SUSPENDED = "suspended"
        BROKEN = "broken"

    slug = models.SlugField(
        primary_key=True,
        max_length=64,
        help_text="The name of the key in the API. It cannot be changed later.",
    )
    provider = models.ForeignKey(
        Provider, models.PROTECT, related_name="api_keys", help_text="The provider of the key."
    )
    model = models.CharField(max_length=200, help_text="The provider's name of the model.")
    # NULL: the key was imported without a secret, and it cannot be switched on.
    secret = SealedField(bound_to="slug", null=True)
    base_url = models.URLField(
        blank=True, help_text="The URL of the API, if it is not that of the provider."
    )
    # The secret is sent nowhere else, so nobody gets it by changing an address.
    secret_url = models.URLField(
        blank=True,
        db_default="",
        editable=False,
        help_text="The base URL for which the secret was entered.",
    )
    sandbox = models.BooleanField(
        db_default=False,
        help_text="Calls with this key go to the sandbox provider, without the secret.",
    )
    priority = models.IntegerField(default=0, help_text="Keys with a higher number are lent first.")
    price = models.ForeignKey(Price, models.PROTECT, related_name="api_keys")
    serves = ArrayField(
        models.CharField(max_length=200),
        db_default=[],
        blank=True,
        help_text="Models of the provider that the key serves besides its own: names, or patterns "
        "such as gpt-4o* or * for all.",
    )
    passed_fields = ArrayField(
        models.CharField(max_length=100),
        db_default=[],
        blank=True,
        help_text="Fields of requests, separated by commas, that are passed to the provider "
        "although Butler does not know what they cost, such as enable_search or provider.only. "
        "What a call costs because of them is not held before the call.",
    )
    requests_per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="The most requests per minute. Leave it empty for no limit.",
    )
    tokens_per_minute = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="The most tokens per minute. Leave it empty for no limit."
    )
    status = models.CharField(max_length=9, choices=Status, default=Status.ACTIVE)
    status_reason = models.CharField(max_length=300, blank=True)
    cooling_until = models.DateTimeField(
        null=True, blank=True, help_text="A cooling or suspended key is not lent before this time."
    )
    suspended_times = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    hidden_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="When the key was hidden. Only a key that was never lent can be hidden.",
    )
    created_at = created_at_field()

    class Meta:
        ordering = ["-priority", "slug"]
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        constraints = [
            models.CheckConstraint(
                condition=~Q(status__in=["cooling", "suspended"]) | Q(cooling_until__isnull=False),
                name="apikey_cooling_says_until_when",
            ),
            models.CheckConstraint(
                condition=Q(hidden_at=None) | Q(status="inactive"),
                name="apikey_hidden_is_inactive",
            ),
        ]
        # Usage is grouped by the provider of its key, also past usage.
        triggers = [
            row_triggers.write_once("apikey_keeps_its_provider", "provider"),
            pgtrigger.Trigger(
                name="apikey_hidden_was_never_lent",
                operation=pgtrigger.Insert | pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.Condition("NEW.hidden_at IS NOT NULL"),
                func="""
                    IF EXISTS (SELECT FROM keys_allocation WHERE api_key_id = NEW.slug)
                       OR EXISTS (SELECT FROM keys_charge
                                   WHERE api_key_id = NEW.slug AND status = 'settled')
                       OR EXISTS (SELECT FROM keys_charge
                                   WHERE api_key_id = NEW.slug AND status = 'held') THEN
                        RAISE EXCEPTION 'apikey_hidden_was_never_lent: % was lent', NEW.slug
                              USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def scope(self) -> str:
        """The address of the key in windows, such as `key:nvidia-1`."""
        return f"key:{self.slug}"

    @property
    def url(self) -> str:
        """The base URL that calls with this key go to, unless they go to the sandbox."""
        return self.base_url or self.provider.base_url

    @property
    def needs_secret(self) -> bool:
        """Whether the secret is missing, or was entered for another base URL."""
        return self.secret is None or not (self.sandbox or self.secret_url == self.url)

    def speaks(self, wire_format: str) -> bool:
        """Whether calls in this wire format are possible; the sandbox has both formats."""
        return self.sandbox or self.provider.wire_format in ("", wire_format)

    def lendable(self, *, now: datetime) -> bool:
        """Whether the key can take allocations at `now`. An exhausted key can: windows decide."""
        if self.status in {self.Status.COOLING, self.Status.SUSPENDED}:
            return self.cooling_until is not None and self.cooling_until <= now
        return self.status in {self.Status.ACTIVE, self.Status.EXHAUSTED}


class CatalogueModel(models.Model):
    """What is known of a model of one provider: a line of the model catalogue.

    A request names it by `name`, by one of `aliases`, or by a name that `pattern` matches (a
    regular expression for the whole name, in lower case), such as a dated version. What is blank or
    NULL is not known. Prices are lines of the price book.
    """

    provider = models.ForeignKey(Provider, models.PROTECT, related_name="catalogue")
    name = models.CharField(max_length=200, help_text="What the provider calls the model.")
    aliases = ArrayField(
        models.CharField(max_length=200),
        db_default=[],
        blank=True,
        help_text="Other names of exactly this model.",
    )
    pattern = models.CharField(
        max_length=1000,
        blank=True,
        db_default="",
        help_text="A regular expression that matches the whole name of every version of the model.",
    )
    context_tokens = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        help_text="The most tokens of input and output that one request may have.",
    )
    output_tokens_max = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="The most tokens that one answer may have."
    )
    inputs = ArrayField(
        models.CharField(max_length=20),
        db_default=[],
        blank=True,
        help_text="What the model takes: text, image or audio. A request with anything else is "
        "refused before it is sent.",
    )
    outputs = ArrayField(
        models.CharField(max_length=20),
        db_default=[],
        blank=True,
        help_text="What the model answers with: text, image, audio or embeddings.",
    )
    tokenizer = models.CharField(
        max_length=20,
        choices=[(name, name) for name in TOKENIZERS],
        db_default="",
        blank=True,
        help_text="The public tokenizer that counts its texts. If it is blank, the bytes of a text "
        "are the most tokens it can have.",
    )
    short_template = models.BooleanField(
        db_default=False,
        help_text="Only a few tokens are added to the texts of a request, as OpenAI does. "
        "Otherwise calls hold more, for a system message of the provider.",
    )
    image_rules = models.JSONField(
        db_default={},
        blank=True,
        help_text='How many tokens an image has, such as {"flat": {"tokens": 1024}}; of several '
        "rules the largest result counts. If there is no rule, an image counts as 16,384 tokens.",
    )
    output_field = models.CharField(
        max_length=30,
        choices=[(name, name) for name in OUTPUT_FIELDS],
        db_default=OUTPUT_FIELDS[0],
        help_text="The field in which a chat request says the most tokens of the answer, if the "
        "client does not say it itself.",
    )
    refused_parameters = ArrayField(
        models.CharField(max_length=30),
        db_default=[],
        blank=True,
        help_text="Parameters that Butler does not add to requests, because the model refuses "
        f"them: {', '.join(ADDED_PARAMETERS)}. Those of a client are sent as they are.",
    )
    always_searches = models.BooleanField(
        db_default=False,
        help_text="The provider searches the web with every call, whether or not it was asked to.",
    )
    reasons_unseen = models.BooleanField(
        db_default=False,
        help_text="The model reasons before it answers and does not show it. A call whose usage "
        "the provider did not report is charged for some reasoning as well.",
    )
    source = models.CharField(
        max_length=100, help_text="The name of the data file, or of the user who set the values."
    )

    class Meta:
        ordering = ["provider", "name"]
        verbose_name = "model"
        verbose_name_plural = "model catalogue"
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "name"], name="cataloguemodel_once_per_provider"
            )
        ]
        indexes = [models.Index(fields=["name"], name="cataloguemodel_by_name")]

    def __str__(self) -> str:
        return f"{self.provider_id} {self.name}"

    @property
    def facts(self) -> ModelFacts:
        """What the gateway must know of it."""
        return facts_from_columns({name: getattr(self, name) for name in ModelFacts._fields})


class ServedModel(models.Model):
    """A model that an API key may be used for, and what it costs there.

    Every key serves its own `model`, the default of its sessions.
    """

    api_key = models.ForeignKey(ApiKey, models.CASCADE, related_name="served_models")
    model = models.ForeignKey(CatalogueModel, models.PROTECT, related_name="served_by")
    price = models.ForeignKey(Price, models.PROTECT, related_name="+")
    output_tokens_max = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        help_text="The most tokens that one answer may have on this key, if fewer than the model "
        "can write.",
    )

    class Meta:
        ordering = ["api_key", "model"]
        verbose_name = "served model"
        constraints = [
            models.UniqueConstraint(fields=["api_key", "model"], name="servedmodel_once_per_key")
        ]

    def __str__(self) -> str:
        return f"{self.model} on {self.api_key_id}"
