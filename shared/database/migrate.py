"""Alembic without its command line: one folder of revisions for each service."""

from pathlib import Path

from sqlalchemy import text

from shared.database.engine import make_engine


def migrate(url: str, migrations: Path, name: str) -> None:
    """Brings a database to the newest revision; several at once are safe."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(migrations), version_locations=[str(migrations / "versions")])
    engine = make_engine(url, f"{name}-migrate", pool_size=1)
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('dicoevent.migrate'))"))
        context = MigrationContext.configure(
            connection, opts={"fn": lambda revision, _: scripts._upgrade_revs("head", revision)}
        )
        with Operations.context(context):
            context.run_migrations()
    engine.dispose()
