"""The process as an operator sees it."""

import os
import signal
import subprocess
import sys

URLS = {f"{name}_URL": "http://127.0.0.1:9" for name in ("ACCOUNTS", "EVENTS", "TICKETS", "NOTIFICATIONS")}


def start(**env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gateway"], env={**os.environ, **env}, stdout=subprocess.PIPE, text=True
    )


def test_sigterm_is_an_orderly_stop() -> None:
    with start(BIND="127.0.0.1:0", **URLS) as process:
        assert process.stdout is not None
        assert "listening" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0


def test_a_missing_setting_stops_the_start_and_is_named() -> None:
    with start(**{**URLS, "TICKETS_URL": ""}) as process:
        output, _ = process.communicate(timeout=15)
    assert process.returncode == 2
    assert "TICKETS_URL" in output
