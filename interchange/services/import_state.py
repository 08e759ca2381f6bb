"""Take over the state of the seed's Token Manager: all of its files, or nothing."""

import hashlib
import json
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from alerts import services as alerts
from interchange.audit_actions import Action
from interchange.models import ImportedState
from interchange.state_files import render, rows, usage_periods, validation
from interchange.state_files.files import KEYS_FILE, malformed
from keys.identity.services.agents import create_agent, create_cost_centre
from keys.limits.services import windows
from keys.models import Allocation, ApiKey, Charge, Limit
from keys.refusals import AlreadyExists, WrongValue
from keys.supply.services.providers import KeyTerms, add_key
from security import audit
from security.actor import Actor

_SHOWN = 5


class Imported(NamedTuple):
    """How many were imported; `again`: it was done before and nothing was changed now."""

    keys: int
    allocations: int
    alerts: int
    history: int
    without_secret: int
    again: bool = False


@sensitive_variables()
@transaction.atomic(durable=True)
def import_state(*, state: Any, api_keys: Any, actor: Actor, now: datetime) -> Imported:
    """Import `token-manager-state.json` and `api-keys.json`, as `seed.files.read` gives them.

    The books begin as of the file's timestamp: usage is booked by settled charges of the agent
    `import`, live allocations are committed. A key without `apiKey` is imported inactive. The same
    files again change nothing. Refusals: MalformedFile, AlreadyExists.
    """
    documents = validation.checked(state=state, api_keys=api_keys, now=now)
    original = render.by_identity(state=documents.state, api_keys=documents.api_keys)
    digest = hashlib.sha256(json.dumps(original, sort_keys=True).encode()).hexdigest()
    windows.take_books_alone()
    if earlier := ImportedState.objects.first():
        return _again(earlier, digest, documents)
    _refuse_taken(documents)
    before = render.rendered(marks=render.NO_MARKS, now=now)
    marks = _write(documents, digest, actor=actor, now=now)
    after = render.rendered(marks=marks, now=now)
    ImportedState.objects.create(
        digest=digest,
        original=json.dumps(original),
        rendered=json.dumps(_less(after, before)),
        marks=marks,
        imported_at=now,
    )
    return _counted(documents)


@transaction.atomic
def exported_state(*, now: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both documents as of one moment: nobody spends while they are read."""
    windows.take_books_alone()
    return render.documents(now=now)


def _counted(documents: validation.Documents, *, again: bool = False) -> Imported:
    return Imported(
        keys=len(documents.keys),
        allocations=len(documents.state.get("allocations", {})),
        alerts=len(documents.state.get("alerts", [])),
        history=len(documents.state.get("history", [])),
        without_secret=sum(not entry.get("apiKey") for entry in documents.keys.values()),
        again=again,
    )


def _again(earlier: ImportedState, digest: str, documents: validation.Documents) -> Imported:
    if earlier.digest != digest:
        raise AlreadyExists(
            f"Other files were imported at {earlier.imported_at:%Y-%m-%d %H:%M} UTC: import into "
            "an empty database."
        )
    return _counted(documents, again=True)


def _refuse_taken(documents: validation.Documents) -> None:
    """Refusals: AlreadyExists, with the first names that are taken."""
    sessions = documents.state.get("allocations", {})
    for what, taken in (
        ("API keys", ApiKey.objects.filter(pk__in=documents.keys).values_list("pk", flat=True)),
        (
            "sessions",
            Allocation.objects.filter(session_id__in=sessions).values_list("session_id", flat=True),
        ),
    ):
        if names := sorted(taken):
            shown = ", ".join(names[:_SHOWN]) + (" …" if names[_SHOWN:] else "")
            raise AlreadyExists(f"These {what} exist already: {shown}. Nothing was imported.")


def _write(
    documents: validation.Documents, digest: str, *, actor: Actor, now: datetime
) -> dict[str, list]:
    """Every row; the ids of alerts and history in the order of the file."""
    create_cost_centre(rows.CENTRE, name="Imported", actor=actor, now=now)
    create_agent(rows.AGENT, cost_centre=rows.CENTRE, name="Import", actor=actor, now=now)
    api_keys = {
        slug: _add_key(documents, number, slug, actor=actor, now=now)
        for number, slug in enumerate(documents.keys)
    }
    _book(documents, api_keys, digest)
    for slug, api_key in api_keys.items():
        for terms in rows.limits(documents, slug):
            _limit(api_key, terms, at=documents.at)
    marks = _take_over(documents, actor=actor, now=now)
    audit.record(
        actor=actor,
        action=Action.STATE_IMPORT,
        subject=rows.SUBJECT,
        after=_counted(documents)._asdict(),
        at=now,
    )
    return marks


@sensitive_variables()
def _add_key(documents: validation.Documents, number: int, slug: str, *, actor, now) -> ApiKey:
    entry = documents.keys[slug]
    terms = KeyTerms(
        provider=entry["provider"],
        model=rows.clean(entry["model"]),
        priority=int(entry.get("priority", 0)),
        base_url=rows.clean(entry.get("baseUrl") or ""),
        rates=rows.rates(entry),
        requests_per_minute=entry.get("requestsPerMinute"),
        tokens_per_minute=entry.get("tokensPerMinute"),
    )
    # Blank is no secret either.
    secret = (entry.get("apiKey") or "").strip()
    try:
        api_key = add_key(slug, terms=terms, secret=secret or None, actor=actor, now=now)
    except WrongValue as refusal:
        at = ["keys", number, refusal.field.replace("rates", "costPer1kTokens")]
        malformed(file=KEYS_FILE, path=at, expected=refusal.detail.rstrip("."))
    if secret:
        _set_status(api_key, documents)
    return api_key


def _set_status(api_key: ApiKey, documents: validation.Documents) -> None:
    entry, said = documents.keys[api_key.pk], documents.state["keys"].get(api_key.pk, {})
    configured = entry.get("status", "active")
    status = "inactive" if configured == "inactive" else said.get("status", configured)
    reason = rows.clean(said.get("statusReason") or "")[:300]
    api_key.status, api_key.status_reason = status, reason
    if status == "cooling":
        until = said.get("coolingUntil")
        api_key.cooling_until = documents.at if until is None else validation.moment(until)
    api_key.save(update_fields=["status", "status_reason", "cooling_until"])


def _book(documents: validation.Documents, api_keys: dict[str, ApiKey], digest: str) -> None:
    """Allocations with their charges, and for each key one of what no session had used."""
    booked = {slug: rows.portions(documents, slug) for slug in api_keys}
    charges, lent = [], []
    for session, entry in documents.state.get("allocations", {}).items():
        slug = entry["keyId"]
        row = rows.allocation(session, entry, api_key=api_keys[slug], documents=documents)
        until = row.closed_at or documents.at
        taken, booked[slug] = usage_periods.take(booked[slug], row.used, until=until)
        charges += rows.charges(row, taken)
        lent.append(row)
    for number, (slug, portions) in enumerate(booked.items()):
        rest = [portion for portion in portions if portion.tokens]
        if rest:
            tokens = sum(portion.tokens for portion in rest)
            session = f"import-{digest[:24]}-{number}"
            row = rows.carrier(session, tokens, api_key=api_keys[slug], documents=documents)
            charges += rows.charges(row, rest)
            lent.append(row)
    Allocation.objects.bulk_create(lent, batch_size=1000)
    Charge.objects.bulk_create(charges, batch_size=1000)


def _limit(api_key: ApiKey, terms: rows.Terms, *, at: datetime) -> None:
    limit = Limit.objects.create(
        api_key=api_key,
        scope=api_key.scope,
        unit=terms.unit,
        period=terms.period,
        amount=terms.amount,
        zone=terms.zone,
        reset_hour=terms.reset_hour,
    )
    windows.first_window(limit, now=at)


def _take_over(
    documents: validation.Documents, *, actor: Actor, now: datetime
) -> dict[str, list[int]]:
    foreign = [rows.foreign_alert(entry) for entry in documents.state.get("alerts", [])]
    events = [rows.audit_entry(entry) for entry in documents.state.get("history", [])]
    return {
        "alerts": alerts.import_alerts(foreign, actor=actor, now=now),
        "history": [row.pk for row in audit.record_many(events)],
    }


def _less(after: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """What the import made: all that is rendered after it and was not before."""
    return {
        document: {
            section: {
                identity: entry
                for identity, entry in entries.items()
                if identity not in before[document][section]
            }
            for section, entries in sections.items()
        }
        for document, sections in after.items()
    }
