"""Verify the rows: each sealed one is as it was sealed, and each that must be sealed is."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from django.db import connection

from security.audit_chain import merkle
from security.audit_chain.models import Seal
from security.audit_chain.sources import Source, all_sources


class RowsVerifier:
    """Takes the seals in any order and compares the rows with their leaves."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self.deleted = 0
        # Rows that differ and may have a later state: findings by its source and the row.
        self._doubtful: dict[str, dict[int, str]] = defaultdict(dict)

    def check(self, seals: list[Seal]) -> None:
        """The rows of these seals."""
        sources, contents = all_sources(), contents_of(seals)
        deleted = _deleted(seals, contents)
        self.deleted += sum(map(len, deleted.values()))
        for seal in seals:
            if seal.source in sources:
                self._compare(
                    seal, sources[seal.source], contents[seal.source], deleted[seal.source]
                )
            else:
                self._report(f"Seal {seal.number} is of {seal.source!r}, which nothing seals.")

    def check_end(self) -> None:
        """After the last seal: what differs without a later state, what was sealed twice or never.

        A row that was written in the time of the check is queued or sealed by now.
        """
        for slug, findings in self._doubtful.items():
            later = _sealed_or_queued(slug, findings)
            for row_id, finding in findings.items():
                if row_id not in later:
                    self._report(finding)
        for source, row_id, times in _fetch(_RESEALED):
            self._report(f"{source} {row_id} was sealed {times} times: it was queued again.")
        for each in all_sources().values():
            for (row_id,) in _unsealed(each):
                self._report(f"{each.slug} {row_id} was added past the triggers: it is not sealed.")

    def _compare(
        self, seal: Seal, source: Source, contents: dict[int, bytes], deleted: set[int]
    ) -> None:
        # A seal whose lists differ in length is found by its size.
        for row_id, leaf in zip(seal.rows, merkle.split(bytes(seal.leaves)), strict=False):
            content = contents.get(row_id)
            if content is not None and merkle.leaf_hash(content) == leaf:
                continue
            if row_id in deleted:
                continue
            finding = f"{seal.source} {row_id} {_difference(source, row_id, leaf, content)}"
            if source.later:
                self._doubtful[source.later][row_id] = finding
            else:
                self._report(finding)


def contents_of(seals: list[Seal]) -> dict[str, dict[int, bytes]]:
    """The rows of these seals as they are now, by source and id."""
    row_ids = defaultdict(set)
    for seal in seals:
        row_ids[seal.source].update(seal.rows)
    sources = all_sources()
    return {slug: sources[slug].contents(ids) for slug, ids in row_ids.items() if slug in sources}


def _deleted(seals: Iterable[Seal], contents: dict[str, dict[int, bytes]]) -> dict[str, set[int]]:
    """Those of the missing rows that were deleted by the rules of their app, by source."""
    sources, missing = all_sources(), defaultdict(set)
    for seal in seals:
        missing[seal.source].update(set(seal.rows) - contents.get(seal.source, {}).keys())
    return {
        slug: sources[slug].deleted(ids) if ids and slug in sources else set()
        for slug, ids in missing.items()
    }


def _difference(source: Source, row_id: int, leaf: bytes, content: bytes | None) -> str:
    if leaf == merkle.leaf_hash(source.content_of_none(row_id)):
        return "was deleted before it was sealed."
    return "is missing." if content is None else "was changed after it was sealed."


_RESEALED = """
SELECT source, row_id, count(*) FROM security_seal, unnest(rows) AS row_id
 GROUP BY source, row_id HAVING count(*) > 1 ORDER BY source, row_id
"""

# In one statement, so in one snapshot: at each moment a row is queued or sealed.
_SEALED_OR_QUEUED = """
SELECT unnest(rows) FROM security_seal WHERE source = %s
 UNION ALL SELECT row_id FROM security_unsealedrow WHERE source = %s
"""


def _unsealed(source: Source) -> list[tuple[Any, ...]]:
    """The rows that must be sealed, and are neither sealed nor queued."""
    present = source.model._base_manager.filter(source.condition).order_by().values("pk")
    rows, parameters = present.query.sql_with_params()
    return _fetch(
        f"({rows}) EXCEPT ({_SEALED_OR_QUEUED}) ORDER BY 1",
        [*parameters, source.slug, source.slug],
    )


def _sealed_or_queued(slug: str, row_ids: Iterable[int]) -> set[int]:
    """Those of the rows that this source has sealed or queued."""
    found = _fetch(
        f"SELECT row_id FROM ({_SEALED_OR_QUEUED}) AS sealed (row_id) WHERE row_id = ANY (%s)",  # noqa: S608 - constants
        [slug, slug, list(row_ids)],
    )
    return {row_id for (row_id,) in found}


def _fetch(sql: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters))
        return list(cursor)
