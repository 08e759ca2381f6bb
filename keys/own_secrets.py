"""Find Butler's own secrets in a text, however they are written there.

The secrets are unsealed once to make keyed fingerprints of them, under a key that lives as long as
the matcher and is stored nowhere. Agent tokens are found by their keyed hashes, tokens of sessions
and slots by their own proof. A matcher reads no row after it is made: what is stored next is known
to the next matcher.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from django.db.models import Model
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from alerts.models import Channel, SigningSecret
from keys.books.queries.slots import SLOT_PREFIX, slot_of
from keys.identity.queries.credentials import (
    AGENT_PREFIX,
    SESSION_PREFIX,
    live_agent_tokens,
    session_id_of,
)
from keys.models import ApiKey
from security import services as security
from security import tokens
from security.scanner import checks, engine
from security.vault import CannotUnseal

# As the tokens that the scanner considers.
_RUN = re.compile(r"[\w-]{16,}", re.ASCII)
# Of a URL, which everybody may know.
_HOST_NAME = re.compile(r"://([^/@]*@|)[\w-]+(\.[\w-]+)+")
_TOKEN_PREFIXES = tuple(f"{prefix}_" for prefix in (AGENT_PREFIX, SESSION_PREFIX, SLOT_PREFIX))


class SealedSecret(NamedTuple):
    """A secret that another app keeps: whose it is, and the row and the field that have it."""

    subject: str
    row: Model
    field: str


_sources: list[Callable[[], Iterable[SealedSecret]]] = []


def register_source(source: Callable[[], Iterable[SealedSecret]]) -> None:
    """Have the secrets of another app looked for as well; in its module `own_secret_sources`."""
    _sources.append(source)


class OwnSecret(NamedTuple):
    """A secret of Butler's in a text. `subject`: whose it is, such as `key:nvidia-1`."""

    subject: str
    line: int


class OwnSecrets:
    """The fingerprints of all secrets that Butler holds now.

    A secret without a run of 16 letters, digits, `-` and `_` cannot be told from other words and is
    not found.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._subjects: dict[bytes, str] = {}
        # Nearly every token of a text is none of ours, which this tells twenty times as fast.
        self._hashes: set[int] = set()
        self._agent_tokens = live_agent_tokens(now=timezone.now())
        for subject, secret in _secrets():
            for run in _telling_runs(secret):
                self._subjects.setdefault(self._fingerprint(run), subject)
                self._hashes.add(hash(run))

    @sensitive_variables()
    def find(self, text: str) -> list[OwnSecret]:
        """Each of Butler's secrets in the text, in its order."""
        found = {
            OwnSecret(subject, text.count("\n", 0, at) + 1): None
            for at, token in sorted(engine.candidates(text))
            if (subject := self._subject_of(token))
        }
        return list(found)

    @sensitive_variables()
    def subjects_in(self, text: str) -> set[str]:
        """Whose secrets are in the text."""
        found = (self._subject_of(token) for _, token in engine.candidates(text))
        return set(filter(None, found))

    def _subject_of(self, token: str) -> str | None:
        if hash(token) in self._hashes:
            return self._subjects.get(self._fingerprint(token))
        return self._subject_of_token(token) if token.startswith(_TOKEN_PREFIXES) else None

    @sensitive_variables("token")
    def _subject_of_token(self, token: str) -> str | None:
        """Whose token of Butler's it is, genuine and of its own form."""
        if token.startswith(f"{SESSION_PREFIX}_"):
            session_id = session_id_of(token)
            return session_id and f"session:{session_id}"
        if token.startswith(f"{SLOT_PREFIX}_"):
            slot = slot_of(token)
            return slot and f"slot:{slot}"
        digest, agent = self._agent_tokens.get(tokens.lookup_prefix(token) or "", (b"", ""))
        return f"agent:{agent}" if digest and tokens.matches(token, digest) else None

    def _fingerprint(self, run: str) -> bytes:
        return hmac.digest(self._key, run.encode(), hashlib.sha256)


@sensitive_variables("secret")
def _secrets() -> Iterator[tuple[str, str]]:
    """Every secret that Butler can read, and whose it is."""
    sealed = [
        *(("key", row, "secret") for row in ApiKey.objects.exclude(secret=None)),
        *(("channel", row, "sealed_url") for row in Channel.objects.shared()),
        *(("channel", row, "sealed") for row in SigningSecret.objects.all()),
    ]
    named = [
        SealedSecret(
            f"{kind}:{row.channel_id if isinstance(row, SigningSecret) else row.pk}", row, field
        )
        for kind, row, field in sealed
    ]
    for subject, row, field in chain(named, *(source() for source in _sources)):
        try:
            secret = security.unseal_from(row, field)
        except CannotUnseal:
            # Then it cannot be used either.
            continue
        yield subject, _HOST_NAME.sub(r"://\1", secret)


@sensitive_variables()
def _telling_runs(secret: str) -> list[str]:
    """What of a secret identifies it: its long runs with letters and digits. Words do not, such as
    `sk-no-key-required` for a program that needs no key."""
    runs = [run for run in _RUN.findall(secret) if _is_mixed(run)]
    return runs or ([secret] if _RUN.fullmatch(secret) and checks.is_random(secret) else [])


def _is_mixed(run: str) -> bool:
    return any(map(str.isdigit, run)) and any(map(str.isalpha, run))
