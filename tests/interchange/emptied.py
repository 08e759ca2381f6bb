"""Another Butler, in the same test: one that knows nothing yet."""

from django.db import connection


def forget_everything():
    """Delete what an import would find in its way."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        # Tables of money refuse it.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("TRUNCATE keys_provider, keys_costcentre, alerts_alert CASCADE")
        cursor.execute(
            "TRUNCATE keys_usageslice, security_auditentry, interchange_importedstate, "
            "interchange_importedentry"
        )
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
