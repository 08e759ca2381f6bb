"""What changed retention and who looked at exchanges is in the audit."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("gateway", "0001_initial")]

    operations = [
        migrations.RenameField("retention", "why", "reason"),
        migrations.DeleteModel("RetentionChange"),
        migrations.DeleteModel("ExchangeLook"),
    ]
