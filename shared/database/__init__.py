"""PostgreSQL: engines, what counts as transient, and waking up on NOTIFY."""

from shared.database.engine import is_transient, make_engine
from shared.database.listener import Listener
from shared.database.migrate import migrate

__all__ = ["Listener", "is_transient", "make_engine", "migrate"]
