from django.db import migrations, models

# What each attempt has used: its final figures, or those of its allocation until they are final.
# A migration that drops `keys_allocation_usage` has to drop this view first and create it again.
ATTEMPT_USAGE = """
CREATE VIEW orchestration_attempt_usage AS
SELECT a.id AS attempt_id, a.task_id, a.sub_task_id, a.number, a.session_id,
       a.finalized_at IS NOT NULL AS is_final,
       coalesce(a.api_key_id, l.api_key_id) AS api_key_id,
       CASE WHEN a.finalized_at IS NULL THEN coalesce(l.used, 0) ELSE a.used_tokens END AS tokens,
       CASE WHEN a.finalized_at IS NULL THEN coalesce(l.used_cost, 0) ELSE a.cost END AS cost
  FROM orchestration_attempt a
  LEFT JOIN keys_allocation_usage l ON a.finalized_at IS NULL AND l.session_id = a.session_id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("keys", "0001_initial"),
        ("orchestration", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(ATTEMPT_USAGE, "DROP VIEW orchestration_attempt_usage"),
        migrations.AlterField(
            model_name="task",
            name="asked",
            field=models.JSONField(
                help_text="The request as it was sent, with which a repeated request is compared."
            ),
        ),
        migrations.AlterField(
            model_name="task",
            name="budget",
            field=models.BigIntegerField(help_text="The number of tokens that the task may use."),
        ),
        migrations.AlterField(
            model_name="task",
            name="reserve",
            field=models.BigIntegerField(
                default=0, help_text="The number of tokens of the budget that only retries may use."
            ),
        ),
        migrations.AlterField(
            model_name="task",
            name="retry_key",
            field=models.CharField(
                blank=True, help_text="The idempotency key of the last retry.", max_length=255
            ),
        ),
        migrations.AlterField(
            model_name="task",
            name="running_seconds",
            field=models.PositiveIntegerField(help_text="How many seconds one attempt may run."),
        ),
        migrations.AlterField(
            model_name="task",
            name="soft_limit",
            field=models.BigIntegerField(
                help_text="The number of used tokens at which the task pauses.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="task",
            name="timeout_seconds",
            field=models.PositiveIntegerField(help_text="How many seconds the task may take."),
        ),
        migrations.AlterField(
            model_name="task",
            name="waiting_seconds",
            field=models.PositiveIntegerField(
                help_text="How many seconds a sub-task may wait before it starts."
            ),
        ),
    ]
