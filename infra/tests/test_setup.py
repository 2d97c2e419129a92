"""scripts/setup, with a Python that takes for ever to install anything."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from infra.tests.reading import ROOT
from shared.testing import wait_until

# Makes an environment at once, in which pip sleeps.
SLOW_PYTHON = """#!/bin/sh
case "$*" in
    *venv*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    *pip*) echo $$ > pip.pid; exec sleep 300 ;;
esac
"""


def test_ctrl_c_ends_the_set_up_and_its_pip(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup", tmp_path / "scripts" / "setup")
    (tmp_path / "requirements-local.txt").write_text("a==1\n")
    (tmp_path / "requirements-dev.txt").write_text("a==1\n")
    python = tmp_path / "bin" / "python3.12"
    python.parent.mkdir()
    python.write_text(SLOW_PYTHON)
    python.chmod(0o755)
    setup = subprocess.Popen(
        ["scripts/setup", "local"],
        cwd=tmp_path,
        env={"PATH": f"{python.parent}:{os.defpath}"},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # In the background SIGINT is ignored, and a shell cannot trap what it finds ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    pip = tmp_path / "pip.pid"
    wait_until(lambda: pip.exists() and pip.read_text().strip(), "pip runs")
    os.killpg(setup.pid, signal.SIGINT)
    assert setup.wait(20) == 130
    assert not (tmp_path / ".venv.lock").exists()
    wait_until(lambda: not Path(f"/proc/{pip.read_text().strip()}").exists(), "pip has ended")
