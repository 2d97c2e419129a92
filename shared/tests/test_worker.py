"""The Celery worker inside a process of ours."""

import logging
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery

from shared.broker import make_celery, run_worker


def set_up_logging(app: Celery, options: dict[str, Any]) -> None:
    """What Celery's own worker does first."""
    app.log.already_setup = False
    app.log.setup_logging_subsystem(options["loglevel"], redirect_stdouts=False)


@pytest.mark.parametrize("level", ["WARNING", "DEBUG"])
def test_a_worker_logs_at_the_level_that_the_process_was_told(
    monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    app, root = make_celery("redis://127.0.0.1:9/0", "x", ("x",)), logging.getLogger()
    monkeypatch.setattr(root, "level", logging.getLevelName(level))

    def worker(**options: Any) -> SimpleNamespace:
        return SimpleNamespace(start=partial(set_up_logging, app, options))

    monkeypatch.setattr(app, "Worker", worker)
    run_worker(app, "x", ("x",), None, patience=None)
    assert logging.getLevelName(root.level) == level
