from django.db import migrations

# The rows from before the triggers, which were committed first so that no writer waits for this.
QUEUE = """
INSERT INTO security_unsealedrow (source, row_id)
SELECT source, id FROM (
    SELECT 'audit_entry' AS source, id FROM security_auditentry
    UNION ALL
    SELECT CASE WHEN status = 'asked' THEN 'approval_request' ELSE 'approval' END, id
      FROM security_approval
) AS earlier
 WHERE NOT EXISTS (SELECT FROM security_unsealedrow AS queued
                    WHERE queued.source = earlier.source AND queued.row_id = earlier.id)
 ORDER BY id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("security", "0004_audit_chain"),
    ]

    operations = [migrations.RunSQL(QUEUE, migrations.RunSQL.noop)]
