"""Every process hears of changed tables; see `providers.state.changes`."""

from django.db import migrations

# Column lists keep what changes all the time (last used, last login) quiet.
WATCHED = {
    "provider": "",
    "deployment": "",
    "price": "",
    "route": "",
    "routetarget": "",
    "credential": "",
    "budget": "",
    "virtualkey": " OF digest, prefix, user_id, team_id, routes, expires_at, revoked_at",
    "user": " OF is_active, role",
    "membership": "",
}

FUNCTION = """
CREATE FUNCTION gaiweb_tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('gaiweb_changes', TG_TABLE_NAME);
  RETURN NULL;
END $$
"""


def trigger(table, columns):
    return f"""
    CREATE TRIGGER gaiweb_tell_change
    AFTER INSERT OR DELETE OR UPDATE{columns} ON providers_{table}
    FOR EACH STATEMENT EXECUTE FUNCTION gaiweb_tell_change()
    """


class Migration(migrations.Migration):
    dependencies = [("providers", "0002_ledger_functions")]

    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION gaiweb_tell_change()"),
        *(
            migrations.RunSQL(
                trigger(table, columns),
                f"DROP TRIGGER gaiweb_tell_change ON providers_{table}",
            )
            for table, columns in WATCHED.items()
        ),
    ]
