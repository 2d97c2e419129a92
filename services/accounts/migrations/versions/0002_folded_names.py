"""Names and addresses unique in any letter case of any script; lists by keyset."""

import sqlalchemy as sa
from alembic import op

from services.accounts.model import fold

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds the folded columns and fills them; raises ValueError naming rows that are one name now."""
    for table, columns in (("users", ("username", "email")), ("groups", ("name",))):
        for column in columns:
            op.add_column(table, sa.Column(f"{column}_key", sa.Text))
            _fill(table, column)
            op.alter_column(table, f"{column}_key", nullable=False)
            op.create_unique_constraint(f"{table}_{column}_key_key", table, [f"{column}_key"])
            op.drop_index(f"{table}_{column}", table)
    op.create_index("users_oldest_first", "users", ["created_at", "id"])
    op.create_index("refresh_families_expiry", "refresh_families", ["expires_at"])


def _fill(table: str, column: str) -> None:
    connection, owners = op.get_bind(), {}
    for id_, text in connection.execute(sa.text(f"SELECT id, {column} FROM {table} ORDER BY id")).all():
        if (other := owners.setdefault(fold(text), id_)) != id_:
            raise ValueError(f"{table} {other} and {id_} have the same {column}: change one, then migrate")
        connection.execute(
            sa.text(f"UPDATE {table} SET {column}_key = :key WHERE id = :id"), {"key": fold(text), "id": id_}
        )
