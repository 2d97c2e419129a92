"""Puts a process's clock wrong: a Python that finds this first reads CHAOS_SKEW_SECONDS at its start.

time.time() and datetime.now() both ask the system, so both are replaced before anything else is imported.
"""

import datetime as module
import os
import time

_true_time, _skew = time.time, float(os.environ.get("CHAOS_SKEW_SECONDS", "0"))
_true_datetime = module.datetime


class _AnyDatetime(type):
    """Makes a datetime that C code built an instance too."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _true_datetime)


class _SkewedDatetime(_true_datetime, metaclass=_AnyDatetime):
    @classmethod
    def now(cls, tz: module.tzinfo | None = None) -> module.datetime:
        return _true_datetime.now(tz) + module.timedelta(seconds=_skew)

    @classmethod
    def utcnow(cls) -> module.datetime:
        return cls.now(module.UTC).replace(tzinfo=None)


if _skew:
    time.time = lambda: _true_time() + _skew
    module.datetime = _SkewedDatetime  # type: ignore[misc]  # replacing a class is the point
