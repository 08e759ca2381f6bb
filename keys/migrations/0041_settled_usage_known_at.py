"""The view of settled usage tells when a charge or its adjustment became known."""

from django.db import migrations, models

_FIGURES = """
       input_tokens, cached_tokens, cache_write_tokens, cache_write_long_tokens, audio_input_tokens,
       image_input_tokens, output_tokens, reasoning_tokens, audio_output_tokens,
       image_output_tokens, web_searches, tokens, cost,"""


def _view(*, of_charge: str = "", of_adjustment: str = "") -> str:
    return f"""
CREATE OR REPLACE VIEW keys_settled_usage AS
SELECT id AS charge_id, allocation_id, api_key_id, model, status, settled_at, 1 AS calls,
       {_FIGURES} provider_cost{of_charge}
  FROM keys_charge
UNION ALL
SELECT charge_id, allocation_id, api_key_id, model, 'settled'::varchar(8), settled_at, 0,
       {_FIGURES} NULL::numeric(20, 9){of_adjustment}
  FROM keys_adjustment
"""  # noqa: S608 - texts of this file


class Migration(migrations.Migration):
    dependencies = [("keys", "0040_costliest_charges_by_index")]

    operations = [
        migrations.RunSQL(
            _view(of_charge=", settled_at AS known_at", of_adjustment=", created_at"),
            "DROP VIEW keys_settled_usage; " + _view(),
            state_operations=[
                migrations.AddField("settledusage", "known_at", models.DateTimeField())
            ],
        )
    ]
