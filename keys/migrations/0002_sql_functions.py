from django.db import migrations

from keys.limits.sql.functions import DROPPED, FUNCTIONS


class Migration(migrations.Migration):
    dependencies = [("keys", "0001_initial")]

    operations = [migrations.RunSQL(FUNCTIONS, DROPPED)]
