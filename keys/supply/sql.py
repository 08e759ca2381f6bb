"""Which models the names in requests mean, and whether any API key serves them."""

from typing import NamedTuple

from common.statements import Statement

# The line of each provider's catalogue that each model asked for means: by its name first, then by
# an alias, then by a pattern.
WISHED = """
    WITH wished AS (
        SELECT DISTINCT ON (w.model, c.provider_id) w.model, c.id, lower(c.name) AS name
          FROM unnest(%(models)s::text[]) AS w(model)
          JOIN keys_cataloguemodel c
            ON lower(c.name) = w.model OR w.model = ANY(c.aliases)
               OR c.pattern <> '' AND w.model ~ ('^(?:' || c.pattern || ')$')
         ORDER BY w.model, c.provider_id, lower(c.name) <> w.model, w.model <> ALL(c.aliases),
                  length(c.pattern) DESC, c.id
    )"""


class ServedRow(NamedTuple):
    """A key that serves a model."""

    api_key_id: str


# Any key that serves any of the models, with any status.
SERVED_ANYWHERE = Statement(
    WISHED  # noqa: S608 - a constant
    + """
    SELECT s.api_key_id FROM wished w JOIN keys_servedmodel s ON s.model_id = w.id LIMIT 1
    """,
    ServedRow,
)
