"""What changed commands is in the audit."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orchestration", "0001_initial")]

    operations = [migrations.DeleteModel("CommandChange")]
