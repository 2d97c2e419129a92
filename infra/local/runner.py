"""Up and down: the runner's own process."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import psutil

from infra.local import orphans, ports
from infra.local.settings import Settings, load_environment, prepare_home, read_settings
from infra.local.supervisor import NotHealthyError
from infra.local.system import ROOT, System
from shared.settings import SettingError, process_environment

_READY_SECONDS = 240.0


def up(demo: bool, detach: bool) -> int:
    """Starts the system and stays, or with `detach` returns when it is healthy."""
    settings = read_settings(load_environment(process_environment()))
    prepare_home(settings.home)
    if (runner := orphans.find_runner(settings.home)) is not None and runner != os.getpid():
        raise SettingError("DICOEVENT_HOME", f"{settings.home} is in use by process {runner}")
    if detach:
        return _detach(settings, demo)
    return _stay(settings, demo)


def _stay(settings: Settings, demo: bool) -> int:
    started = time.monotonic()
    say = _speaker(sys.stdout, started)
    (settings.home / "run" / "up.pid").write_text(f"{os.getpid()}\n")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    for name in orphans.stop_orphans(settings.home):
        say(f"stopped {name}, left by a runner that was killed")
    system = System(settings, say)
    try:
        with ports.one_start_at_a_time(say, stopped):
            if not stopped.is_set():
                system.start(stopped)
        if not stopped.is_set():
            _announce(system, say)
            _play(settings, system, demo, stopped)
            system.watch(stopped)
        say("stopping")
    except NotHealthyError as error:
        _report(error)
        return 1
    finally:
        system.stop()
        (settings.home / "run" / "up.pid").unlink(missing_ok=True)
    say("stopped")
    return 0


def _play(settings: Settings, system: System, demo: bool, stopped: threading.Event) -> None:
    if not demo:
        (settings.home / "run" / "ready").touch()
        return
    from infra.local.demo import DemoFailedError, play

    watcher = threading.Thread(target=system.watch, args=(stopped,), daemon=True)
    watcher.start()
    try:
        play({**settings.environment, **system.chosen}, sys.stdout, stopped)
    except DemoFailedError as error:
        sys.stdout.write(f"\nThe demo did not come to its end: {error}\n")
    (settings.home / "run" / "ready").touch()
    _addresses(system, sys.stdout)
    watcher.join()


def _announce(system: System, say: Callable[[str], None]) -> None:
    say("everything is healthy")
    _addresses(system, sys.stdout)


def _addresses(system: System, out: TextIO) -> None:
    chosen = system.chosen
    out.write(f"\n  API       {chosen['API_URL']}/api/\n  API docs  {chosen['API_URL']}/docs\n")
    if "INBOX_URL" in chosen:
        out.write(f"  Inbox     {chosen['INBOX_URL']}\n")
    if chosen.get("SUPERUSER_PASSWORD"):
        out.write(f"  Superuser {chosen['SUPERUSER_USERNAME']} / {chosen['SUPERUSER_PASSWORD']}\n")
    out.write("\n")
    out.flush()


def _speaker(out: TextIO, started: float) -> Callable[[str], None]:
    def say(text: str) -> None:
        out.write(f"[{time.monotonic() - started:5.1f} s] {text}\n")
        out.flush()

    return say


def _report(error: NotHealthyError) -> None:
    lines = "".join(f"    {line}\n" for line in error.lines)
    sys.stderr.write(f"{error}\n{lines}")


def _detach(settings: Settings, demo: bool) -> int:
    ready, log = settings.home / "run" / "ready", settings.home / "log" / "up.log"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "infra.local", "up", *(["--demo"] if demo else [])]
    environment = {**settings.environment, "DICOEVENT_HOME": str(settings.home), "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as out:
        runner = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline, shown = time.monotonic() + _READY_SECONDS, 0
    while time.monotonic() < deadline:
        done = ready.exists() or runner.poll() is not None
        shown = _follow(log, shown)
        if done:
            break
        time.sleep(0.1)
    if runner.poll() is not None or not ready.exists():
        return 1
    return 0


def _follow(log: Path, shown: int) -> int:
    with log.open("rb") as file:
        file.seek(shown)
        fresh = file.read()
    sys.stdout.write(fresh.decode("utf-8", "replace"))
    sys.stdout.flush()
    return shown + len(fresh)


def down() -> int:
    """Stops the runner of this data folder and waits for its end."""
    settings = read_settings(load_environment(process_environment()))
    runner = orphans.find_runner(settings.home)
    if runner is None:
        left = orphans.stop_orphans(settings.home) if (settings.home / "run").exists() else []
        sys.stdout.write(f"stopped {', '.join(left)}\n" if left else "nothing was running\n")
        return 0
    process = psutil.Process(runner)
    process.terminate()
    try:
        process.wait(60)
    except psutil.TimeoutExpired:
        sys.stderr.write(f"the runner {runner} did not end within 60 s\n")
        return 1
    sys.stdout.write("stopped\n")
    return 0
