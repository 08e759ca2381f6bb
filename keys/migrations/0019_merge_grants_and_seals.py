from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("keys", "0017_grants"),
        ("keys", "0018_queue_charges"),
    ]

    operations = []
