"""Import the state files of another Token Manager completely or not at all; export them."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from alerts import services as alerts
from common.consistent_reads import consistent_reads
from interchange.audit_actions import Action
from interchange.models import ImportedState
from interchange.state_files import (
    export,
    imported_books,
    imported_entries,
    imported_records,
    key_terms,
    validation,
)
from interchange.state_files.files import KEYS_FILE, NO_KEY, refuse_value
from interchange.state_files.render import rendering
from interchange.state_files.sections import SECTIONS
from interchange.state_files.storable import storable
from keys import services as keys
from keys.models import Allocation, ApiKey, ModelAlias, ModelFallback
from keys.refusals import AlreadyExists, WrongValue
from security import audit
from security.actor import Actor

_NAMES_MAX = 5
_BATCH = 1_000


class ImportResult(NamedTuple):
    """How many rows were imported. `without_secret`: how many of `keys` have no secret in the file.

    `again`: the same files were imported before, so nothing was changed.
    """

    keys: int
    allocations: int
    alerts: int
    history: int
    without_secret: int
    again: bool = False


@sensitive_variables()
@transaction.atomic(durable=True)
def import_state(
    *,
    state: Any,
    api_keys: Any,
    actor: Actor,
    now: datetime,
    progress: Callable[[str, int | None], Callable[[int], None]] = lambda *_: lambda _: None,
) -> ImportResult:
    """Import `token-manager-state.json` and `api-keys.json`, as `files.read` gives them.

    The books begin at the file's timestamp: usage becomes settled charges of the agent `import`,
    and active allocations are committed. A key without `apiKey` is imported inactive. Importing the
    same files again changes nothing. `progress` begins a stage of the work, by its name and the
    number of its sessions and entries of the history (None: not known yet), and returns what is
    called with the number of those done since. Refusals: MalformedFile, AlreadyExists.
    """
    documents = validation.validate(
        state=state, api_keys=api_keys, now=now, checked=progress("Checked", None)
    )
    keys.take_books_alone()
    if earlier := ImportedState.objects.first():
        return _repeated_import(earlier, documents)
    _refuse_existing(documents)
    before = rendering(now=now)
    last = imported_entries.last_rows()
    written = progress("Written", documents.session_count + documents.history_count)
    foreign = _write(documents.counted(written), actor=actor, now=now)
    ImportedState.objects.create(
        digest=documents.digest,
        original=json.dumps(_by_identity(documents)),
        rendered=json.dumps(_without(rendering(now=now), before)),
        imported_at=now,
    )
    compared = progress("Compared", documents.session_count)
    imported_entries.keep(documents.counted(compared), alerts=foreign, since=last)
    return _result(documents)


def export_state(
    folder: Path, *, now: datetime, progress: Callable[[int], None] = lambda _: None
) -> list[Path]:
    """Write both files as of one moment and return their paths; agents spend beside it.

    `progress` is called with the number of entries written since. OSError if the folder cannot be
    written to; then the files that were there stay.
    """
    with consistent_reads():
        return export.write(folder, now=now, progress=progress)


def _result(documents: validation.Documents, *, again: bool = False) -> ImportResult:
    return ImportResult(
        keys=len(documents.keys),
        allocations=documents.session_count,
        alerts=len(documents.state.get("alerts", [])),
        history=documents.history_count,
        without_secret=sum(not entry.get("apiKey") for entry in documents.keys.values()),
        again=again,
    )


def _repeated_import(earlier: ImportedState, documents: validation.Documents) -> ImportResult:
    if earlier.digest != documents.digest:
        raise AlreadyExists(
            f"Other files were already imported at {earlier.imported_at:%Y-%m-%d %H:%M} UTC. "
            "Import these into an empty database."
        )
    return _result(documents, again=True)


def _refuse_existing(documents: validation.Documents) -> None:
    """Refuse API keys and sessions that exist. Refusals: AlreadyExists, with the first names."""
    for what, existing in (
        ("API keys", ApiKey.objects.filter(pk__in=documents.keys).values_list("pk", flat=True)),
        ("sessions", _existing_sessions(documents)),
        (
            "model aliases",
            ModelAlias.objects.filter(
                name__in=map(str.lower, documents.api_keys.get("modelAliases", {}))
            ).values_list("name", flat=True),
        ),
        (
            "model fallbacks",
            ModelFallback.objects.filter(
                model__in=map(str.lower, documents.api_keys.get("modelFallbacks", {}))
            ).values_list("model", flat=True),
        ),
    ):
        if names := sorted(existing):
            listed = ", ".join(names[:_NAMES_MAX]) + (" …" if names[_NAMES_MAX:] else "")
            raise AlreadyExists(f"These {what} already exist: {listed}. Nothing was imported.")


def _existing_sessions(documents: validation.Documents) -> Iterator[str]:
    """The sessions of the file that there are already."""
    if not Allocation.objects.exists():
        return
    names = (name for name, _ in documents.sessions)
    while batch := list(islice(names, _BATCH)):
        found = Allocation.objects.filter(session_id__in=batch)
        yield from found.values_list("session_id", flat=True)


def _write(documents: validation.Documents, *, actor: Actor, now: datetime) -> list[int]:
    """Write every row; return the ids of the alerts in the order of the file."""
    keys.create_cost_centre(imported_books.CENTRE, name="Imported", actor=actor, now=now)
    keys.create_agent_without_limits(
        imported_books.AGENT,
        cost_centre=imported_books.CENTRE,
        name="Import",
        actor=actor,
        now=now,
    )
    for number, slug in enumerate(documents.keys):
        _add_key(documents, number, slug, actor=actor, now=now)
    for name, entry in documents.api_keys.get("modelAliases", {}).items():
        _set_alias(name, entry, actor=actor, now=now)
    for model, entry in documents.api_keys.get("modelFallbacks", {}).items():
        _set_fallbacks(model, entry, actor=actor, now=now)
    books = imported_books.imported_books(documents, digest=documents.digest)
    keys.import_books(books, actor=actor, now=now)
    foreign = [imported_records.foreign_alert(entry) for entry in documents.state.get("alerts", [])]
    imported = alerts.import_alerts(foreign, actor=actor, now=now)
    imported_entries.write_history(documents)
    audit.record(
        actor=actor,
        action=Action.STATE_IMPORT,
        subject=imported_records.SUBJECT,
        after=_result(documents)._asdict(),
        at=now,
    )
    return imported


@sensitive_variables()
def _add_key(
    documents: validation.Documents, number: int, slug: str, *, actor: Actor, now: datetime
) -> None:
    entry = documents.keys[slug]
    terms, secret = key_terms.key_terms(entry), key_terms.secret(entry)
    try:
        keys.add_key(slug, terms=terms, secret=secret, actor=actor, now=now)
    except WrongValue as refusal:
        member = str(refusal.field).replace("rates", "costPer1kTokens")
        refuse_value(
            file=KEYS_FILE, path=["keys", number, member], expected=refusal.detail.rstrip(".")
        )


def _set_alias(name: str, entry: dict[str, Any], *, actor: Actor, now: datetime) -> None:
    try:
        keys.set_model_alias(
            storable(name),
            model=storable(entry["model"]),
            position=entry.get("position", 0),
            actor=actor,
            now=now,
        )
    except WrongValue as refusal:
        refuse_value(
            file=KEYS_FILE, path=["modelAliases", name], expected=refusal.detail.rstrip(".")
        )


def _set_fallbacks(model: str, entry: dict[str, list[str]], *, actor: Actor, now: datetime) -> None:
    for when, fallbacks in entry.items():
        try:
            keys.set_model_fallback(
                storable(model),
                budget_percent=None if when == NO_KEY else int(when),
                fallbacks=[storable(name) for name in fallbacks],
                actor=actor,
                now=now,
            )
        except WrongValue as refusal:
            refuse_value(
                file=KEYS_FILE,
                path=["modelFallbacks", model, when],
                expected=refusal.detail.rstrip("."),
            )


def _by_identity(documents: validation.Documents) -> dict[str, Any]:
    """Both documents as an export compares them: keys by id, without secrets, and without the
    entries that are kept as rows."""
    state = {name: {} if name in SECTIONS else value for name, value in documents.state.items()}
    listed = validation.without_secrets(documents.keys)
    return {"state": state, "api_keys": {**documents.api_keys, "keys": listed}}


def _without(after: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The entries that the import wrote: those rendered after it and not before."""
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
