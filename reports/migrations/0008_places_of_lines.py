"""Lines of closed months say where in the tree the cost centre was when it paid.

Those that are there get the place that the cost centre has now: statements followed it until now.
"""

import django.db.models.deletion
from django.db import migrations, models

_WITHOUT_TRIGGERS = "ALTER TABLE reports_closeline DISABLE TRIGGER USER"
_WITH_TRIGGERS = "ALTER TABLE reports_closeline ENABLE TRIGGER USER"
# Rows whose foreign keys are still to be checked keep the table from being altered.
_CHECK_NOW = "SET CONSTRAINTS ALL IMMEDIATE"
_CHECK_LATER = "SET CONSTRAINTS ALL DEFERRED"
_PLACEMENT = {
    "on_delete": django.db.models.deletion.PROTECT,
    "related_name": "+",
    "to": "keys.placement",
}


def _fill(apps, schema_editor):
    """Each line gets the present place of its cost centre; lines never change otherwise."""
    placements = apps.get_model("keys", "Placement").objects
    lines = apps.get_model("reports", "CloseLine").objects
    schema_editor.execute(_WITHOUT_TRIGGERS)
    for placement in placements.filter(path=models.F("cost_centre__path")).order_by("pk"):
        lines.filter(cost_centre=placement.cost_centre_id).update(placement=placement)
    schema_editor.execute(_CHECK_NOW)
    schema_editor.execute(_CHECK_LATER)
    schema_editor.execute(_WITH_TRIGGERS)


class Migration(migrations.Migration):
    dependencies = [
        ("keys", "0034_placements"),
        ("reports", "0007_zones_of_schedules"),
    ]

    operations = [
        migrations.AddField(
            model_name="closeline",
            name="placement",
            field=models.ForeignKey(null=True, **_PLACEMENT),
        ),
        migrations.RunPython(_fill, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="closeline",
            name="placement",
            field=models.ForeignKey(**_PLACEMENT),
        ),
        migrations.RemoveConstraint(
            model_name="closeline",
            name="closeline_once_per_day_and_group",
        ),
        migrations.AddConstraint(
            model_name="closeline",
            constraint=models.UniqueConstraint(
                fields=[
                    *("close", "cost_centre", "corrects", "day", "agent", "api_key"),
                    *("model", "label", "placement"),
                ],
                name="closeline_once_per_day_and_group",
                nulls_distinct=False,
            ),
        ),
    ]
