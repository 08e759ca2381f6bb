from django.db import migrations

# The rows from before the triggers, which were committed first so that no writer waits for this.
QUEUE = """
INSERT INTO security_unsealedrow (source, row_id)
SELECT source, id FROM (
    SELECT CASE WHEN hold_expired_at IS NULL THEN 'charge' ELSE 'charge_estimate' END AS source, id
      FROM keys_charge WHERE status = 'settled'
    UNION ALL SELECT 'adjustment', id FROM keys_adjustment
) AS earlier
 WHERE NOT EXISTS (SELECT FROM security_unsealedrow AS queued
                    WHERE queued.source = earlier.source AND queued.row_id = earlier.id)
 ORDER BY id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("keys", "0017_charges_are_sealed"),
    ]

    operations = [migrations.RunSQL(QUEUE, migrations.RunSQL.noop)]
