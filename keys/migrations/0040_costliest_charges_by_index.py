from django.db import migrations, models

# Partitions got their indexes from the table when they were made.
_OF_PARTITIONS = """
DO $$ DECLARE partition regclass; old regclass; BEGIN
    FOR partition IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'keys_charge'::regclass
    LOOP
        FOR old IN SELECT indexrelid FROM pg_index WHERE indrelid = partition
                      AND pg_get_indexdef(indexrelid) LIKE '% ({before}) INCLUDE (tokens, cost) %'
        LOOP EXECUTE format('DROP INDEX %s', old); END LOOP;
        EXECUTE format('CREATE INDEX ON %s ({after}) INCLUDE (tokens, cost)
                         WHERE status = ''settled''', partition);
    END LOOP;
END $$
"""


def _of_partitions(before: str, after: str) -> str:
    return _OF_PARTITIONS.replace("{before}", before).replace("{after}", after)


class Migration(migrations.Migration):
    dependencies = [("keys", "0039_hidden_keys_by_index")]

    operations = [
        migrations.RemoveIndex(model_name="charge", name="charge_settled_by_time"),
        migrations.AddIndex(
            model_name="charge",
            index=models.Index(
                condition=models.Q(status="settled"),
                fields=["settled_at", "id"],
                include=("tokens", "cost"),
                name="charge_settled_by_time",
            ),
        ),
        migrations.RunSQL(
            _of_partitions("settled_at", "settled_at, id"),
            _of_partitions("settled_at, id", "settled_at"),
        ),
    ]
