"""Look for secrets in what agents send to providers, before anything is held.

    found                                       what follows
    ├── a secret of Butler's own                OwnSecretSent, and what `leaks` knows: a finding and
    │                                           an alert, and the key of a provider is frozen
    └── a credential with a form of its own,    by the guard of the cost centre: nothing (`off`), an
        such as a key of a cloud                alert (`flag`), or CredentialSent and an alert

The body is searched as it was sent: what the JSON has twice or what is not forwarded is found too.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from django.views.decorators.debug import sensitive_variables

from common import database_clock
from gateway import leaks, services
from gateway.refusals import CredentialSent, OwnSecretSent
from gateway.requests import Request
from gateway.runtime import Runtime
from keys.models import CostCentre
from keys.own_secrets import OwnSecrets
from keys.supply.queries.upstreams import Session
from security.actor import Actor
from security.scanner import engine

Guard = CostCentre.Guard

# Between two slices, other threads get the interpreter's lock.
_SLICE_BYTES, _OVERLAP_BYTES = 256_000, 16_384
_REPORTED_MAX = 20
# Python writes other alphabets so, and no secret has them.
_NOT_ASCII = re.compile(r"(?:\\u(?!00[2-7])[0-9a-fA-F]{4})+")
# Names and words beside a value are left out: honest calls have `prompt_cache_key`.
_SEARCHES = frozenset((engine.PREFIX, engine.MARKER, engine.BASE64, engine.ESCAPE))


class _Seen(NamedTuple):
    """What a body has in it: whose secrets of Butler's own, and the excerpt of a credential by the
    rule that found it."""

    own: set[str]
    credentials: dict[str, str]


@sensitive_variables("body")
async def check(runtime: Runtime, request: Request, session: Session, body: bytes) -> None:
    """Look at the body of a request, once. Refusals: OwnSecretSent, CredentialSent."""
    if request.is_guarded:
        return
    guard = (await runtime.sessions.policies()).outbound_guard(session.payers)
    own = await runtime.known_secrets.matcher()
    seen = await runtime.large_bodies.run_if_large(
        session.agent, request, _look, body, own, guard=guard
    )
    if seen.own:
        # Before the answer: a key must be frozen when the agent learns that it was found.
        await runtime.threads.run(_report_leaks, seen.own, session.agent, request.actor)
        raise OwnSecretSent(kinds=sorted({_kind(subject) for subject in seen.own}))
    if seen.credentials:
        await _tell(runtime, session, seen.credentials, guard=guard)
    request.is_guarded = True


@sensitive_variables("body", "text")
def _look(body: bytes, own: OwnSecrets, *, guard: str) -> _Seen:
    seen = _Seen(set(), {})
    for text in _slices(body):
        seen.own.update(own.subjects_in(text))
        if guard != Guard.OFF:
            found = engine.scan_text(text, "", _SEARCHES)
            seen.credentials.update({finding.rule: finding.excerpt for finding in found})
    return seen


def _slices(body: bytes) -> Iterator[str]:
    for start in range(0, len(body), _SLICE_BYTES):
        text = body[start : start + _SLICE_BYTES + _OVERLAP_BYTES].decode(errors="replace")
        # Otherwise the letter of an escape is taken for the first one of what follows.
        text = text.replace("\\n", "\n").replace("\\r", "\n").replace("\\t", "\t")
        yield _NOT_ASCII.sub(" ", text) if "\\u" in text else text


def _report_leaks(subjects: set[str], agent: str, actor: Actor) -> None:
    # Keys first: of thousands of old tokens in one body, a few are enough.
    for subject in sorted(subjects, key=lambda subject: _kind(subject) != "key")[:_REPORTED_MAX]:
        leaks.report_leak(subject, agent=agent, actor=actor, now=database_clock.now())


def _kind(subject: str) -> str:
    return subject.partition(":")[0]


async def _tell(
    runtime: Runtime, session: Session, credentials: dict[str, str], *, guard: str
) -> None:
    work = runtime.run_detached(
        runtime.threads.run(
            services.report_sent_credentials,
            credentials,
            agent_id=session.agent,
            session_id=session.session_id,
            refused=guard == Guard.REFUSE,
            now=database_clock.now(),
        )
    )
    if guard == Guard.REFUSE:
        await work
        raise CredentialSent(rules=sorted(credentials))
