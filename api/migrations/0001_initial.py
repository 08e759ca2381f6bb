from django.db import migrations, models


class Migration(migrations.Migration):
    """The request counts of the throttle, in a table that is not written ahead."""

    initial = True
    dependencies = []

    operations = [
        migrations.CreateModel(
            name="RequestCount",
            fields=[
                ("bearer", models.TextField(primary_key=True, serialize=False)),
                ("minute", models.DateTimeField()),
                ("requests", models.BigIntegerField()),
            ],
        ),
        migrations.RunSQL(
            # Room on every page, so that a count is changed in place.
            "ALTER TABLE api_requestcount SET UNLOGGED, SET (fillfactor = 20)",
            "ALTER TABLE api_requestcount SET LOGGED",
        ),
    ]
