"""Sketches are hashes, which PostgreSQL tries to compress in vain, each time one is stored."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("prediction", "0009_forecasts_with_their_budgets")]
    operations = [
        migrations.RunSQL(
            "ALTER TABLE prediction_storedsketch ALTER data SET STORAGE EXTERNAL",
            "ALTER TABLE prediction_storedsketch ALTER data SET STORAGE EXTENDED",
        )
    ]
