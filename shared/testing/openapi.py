"""Schemathesis against an app in this process: what the document says, the app does, and nothing else.

    def test_the_api_does_what_its_document_says(...):
        assert findings(app, sign_in("root", "superuser")) == []

All of its phases (examples, coverage, fuzzing, stateful) with all of its checks, by its own engine: pytest's
newest has no place for its plugin's lazy schemas.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import schemathesis
from hypothesis import strategies
from schemathesis import CheckContext, Config, Response
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.generation.case import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

# What no document can say, as it depends on what is stored.
STATE_REFUSES = "is taken|is not one that a list has answered"
_DEFAULT_SEED = 4
# What RFC 5322 allows is far more than what a mail system takes.
_ADDRESSES = strategies.from_regex(r"[a-z0-9]{1,20}@[a-z0-9]{1,20}\.(com|org|example)", fullmatch=True)


def findings(
    app: Callable[..., Any],
    headers: Mapping[str, str],
    *,
    examples: int = 50,
    state_refuses: str = "",
    operations: Iterable[dict[str, Any]] = (),
    stateful_examples: int = 10,
) -> list[str]:
    """What schemathesis finds, each kind with one call that shows it; nothing when all is well.

    `headers` hold the Authorization of one who may do everything. A valid body must be accepted, unless
    each text in the refusal's `errors` matches STATE_REFUSES or the pattern `state_refuses`. `operations`
    are schemathesis' own settings for some of them, as in its configuration file. The data is the same in
    each run; with SCHEMATHESIS_SEED=N it is other data. The seed is printed.
    """
    seed = int(os.environ.get("SCHEMATHESIS_SEED", _DEFAULT_SEED))
    print(f"SCHEMATHESIS_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    schemathesis.openapi.format("email", _ADDRESSES)
    token = headers["Authorization"].removeprefix("Bearer ")
    settings = {
        "seed": seed,
        "auth": {"openapi": {"bearer": {"bearer": token}}},
        "checks": {
            "positive_data_acceptance": {"enabled": False},
            "AcceptsValidData": {"state_refuses": "|".join(filter(None, (STATE_REFUSES, state_refuses)))},
        },
        "generation": {"max-examples": examples, "no-shrink": True, "database": "none"},
        "phases": {"stateful": {"generation": {"max-examples": stateful_examples}, "max-steps": 4}},
        "continue-on-failure": True,
        # All in one process: a slow answer says something of the machine, not of the app.
        "suppress-health-check": ["all"],
        "request-timeout": 30,
        "operations": list(operations),
    }
    document = schemathesis.openapi.from_asgi("/openapi.json", app, config=Config.from_dict(settings))
    told = [pair for event in from_schema(document).execute() for pair in _told(event)]
    return [f"{problem}\n    {example}" for problem, example in sorted(dict(reversed(told)).items())]


@schemathesis.check
class AcceptsValidData:
    """Schemathesis' own check of that, but for refusals that depend on what is stored."""

    def __init__(self, state_refuses: str = STATE_REFUSES) -> None:
        self._state_refuses = re.compile(state_refuses)

    def after_response(self, ctx: CheckContext, response: Response, case: Case) -> bool | None:
        if response.status_code == 400:
            texts = [text for told in response.json()["errors"].values() for text in told]
            if texts and all(self._state_refuses.search(text) for text in texts):
                return None
        return positive_data_acceptance(ctx, response, case)


def _told(event: events.EngineEvent) -> Iterator[tuple[str, str]]:
    """(what is wrong, a call that shows it)"""
    if isinstance(event, events.ScenarioFinished):
        yield from _failures(event.recorder)
    elif isinstance(event, events.NonFatalError):
        yield f"{event.label}: error", str(event.value)
    elif isinstance(event, events.FatalError):
        raise event.exception


def _failures(recorder: ScenarioRecorder) -> Iterator[tuple[str, str]]:
    for checks in recorder.checks.values():
        for check in checks:
            if check.failure_info is not None:
                failure, code = check.failure_info.failure, check.failure_info.code_sample
                problem = f"{failure.operation}: {failure.title}: {failure.message.partition(chr(10))[0]}"
                yield problem, f"{code[:600]}\n    in {recorder.label}: {failure.message[:600]}"
