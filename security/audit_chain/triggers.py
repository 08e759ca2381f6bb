"""The trigger with which a table queues its rows for sealing, from any client."""

import pgtrigger


def queue_for_sealing(
    name: str,
    *,
    source: str,
    operation: pgtrigger.Operation = pgtrigger.Insert,
    condition: pgtrigger.Condition | None = None,
) -> pgtrigger.Trigger:
    """Queue each written row of which `condition` holds for the source with this slug.

    The entry is visible when the transaction has committed, in any order of
    transactions. The queue has no unique constraint and no foreign key, so a writer neither waits
    for it nor fails by it.
    """
    return pgtrigger.Trigger(
        name=name,
        when=pgtrigger.After,
        operation=operation,
        condition=condition,
        func=f"INSERT INTO security_unsealedrow (source, row_id) VALUES ('{source}', NEW.id);"  # noqa: S608 - a constant
        " RETURN NULL;",
    )
