"""The sealed rows as lines that can be verified without Butler: `docs/verify_audit_export.py`.

Each row is the JSON that was hashed, on a line of its own, in the order of the chain. A row that
has changed legally since (an estimate that was corrected) is `{"sha256":"<leaf hash>"}`. An empty
line and the signed checkpoint follow.
"""

import json
from collections.abc import Iterator

from security.audit_chain import checkpoint_file, merkle
from security.audit_chain.models import Seal
from security.audit_chain.sources import all_sources
from security.audit_chain.verify import parts
from security.audit_chain.verify_rows import contents_of


class Differs(Exception):
    """A row is not as it was sealed, so there is nothing true to export."""


def lines() -> Iterator[str]:
    """The lines of the export. Raises Differs at the first row that was changed."""
    last = checkpoint_file.latest()
    if last is None:
        return
    head, note = last
    for part in parts(until=head.number):
        contents = contents_of(part)
        for seal in part:
            yield from _rows(seal, contents.get(seal.source, {}))
    yield ""
    yield from note.splitlines()


def _rows(seal: Seal, contents: dict[int, bytes]) -> Iterator[str]:
    source = all_sources().get(seal.source)
    for row_id, leaf in zip(seal.rows, merkle.split(bytes(seal.leaves)), strict=True):
        content = contents.get(row_id)
        if content is not None and merkle.leaf_hash(content) == leaf:
            yield content.decode()
        elif source and source.later:
            yield json.dumps({"sha256": leaf.hex()}, separators=(",", ":"))
        else:
            raise Differs(
                f"{seal.source} {row_id} is not as it was sealed. Run `manage.py audit verify`."
            )
