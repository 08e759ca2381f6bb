from django.db import migrations

from keys.books.sql.views import ALLOCATION_USAGE, ALLOCATION_USAGE_DROPPED


class Migration(migrations.Migration):
    dependencies = [("keys", "0002_sql_functions")]

    operations = [migrations.RunSQL(ALLOCATION_USAGE, ALLOCATION_USAGE_DROPPED)]
