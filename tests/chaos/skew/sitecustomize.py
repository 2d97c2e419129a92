"""Puts a process's clock wrong: a Python that finds this first reads CHAOS_SKEW_SECONDS at its start."""

import os
import time

_true_time, _skew = time.time, float(os.environ.get("CHAOS_SKEW_SECONDS", "0"))
time.time = lambda: _true_time() + _skew
