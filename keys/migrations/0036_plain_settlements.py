"""A settlement that something follows from stops itself, and is run again with what follows."""

from django.db import migrations

# Volatile: it must run for the row that it is asked for, and not when the statement is planned.
NOT_PLAIN = """
CREATE FUNCTION keys_not_plain() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RAISE EXCEPTION 'something follows from this settlement' USING ERRCODE = 'BU001';
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("keys", "0035_hidden_keys")]

    operations = [migrations.RunSQL(NOT_PLAIN, "DROP FUNCTION keys_not_plain()")]
