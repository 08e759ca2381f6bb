import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("keys", "0032_closed_cost_centres"),
    ]

    operations = [
        migrations.AddField(
            model_name="limit",
            name="carry_over_max",
            field=models.DecimalField(
                blank=True,
                decimal_places=9,
                help_text="The most that one period leaves to the next, in the unit of the limit. Empty: each period begins with the amount alone.",
                max_digits=38,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="window",
            name="carried",
            field=models.DecimalField(
                db_default=0,
                decimal_places=9,
                default=0,
                help_text="The part of the amount that was carried over from the period before.",
                max_digits=38,
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="window",
            trigger=pgtrigger.compiler.Trigger(
                name="window_keeps_what_was_carried",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."carried" IS DISTINCT FROM (NEW."carried"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="baa7d8242c0e17bd78ff404e57d6ac1229b89f3b",
                    operation="UPDATE",
                    pgid="pgtrigger_window_keeps_what_was_carried_8c986",
                    table="keys_window",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="limit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("carry_over_max__isnull", True),
                    models.Q(
                        ("carry_over_max__gt", 0), models.Q(("period", "total"), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="limit_carry_over_is_of_a_period_that_ends",
            ),
        ),
        migrations.AddConstraint(
            model_name="window",
            constraint=models.CheckConstraint(
                condition=models.Q(("carried__gte", 0), ("carried__lte", models.F("amount"))),
                name="window_carried_is_part_of_its_amount",
            ),
        ),
    ]
