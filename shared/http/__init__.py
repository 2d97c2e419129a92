"""HTTP as all services speak it: problems, paths, pages, health."""

from shared.http.app import Check, make_api
from shared.http.errors import (
    Conflict,
    DependencyDown,
    Forbidden,
    Invalid,
    NotFound,
    Refusal,
    TooMany,
    Unauthenticated,
)
from shared.http.health import database_check, redis_check
from shared.http.openapi import Problem, problems
from shared.http.owner import Owner, OwnerAway
from shared.http.pages import Pagination, page_of
from shared.http.server import read_drain, serve

__all__ = [
    "Check",
    "Conflict",
    "DependencyDown",
    "Forbidden",
    "Invalid",
    "NotFound",
    "Owner",
    "OwnerAway",
    "Pagination",
    "Problem",
    "Refusal",
    "TooMany",
    "Unauthenticated",
    "database_check",
    "make_api",
    "page_of",
    "problems",
    "read_drain",
    "redis_check",
    "serve",
]
