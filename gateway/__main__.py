"""`python -m gateway` serves until SIGTERM or SIGINT."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable

import structlog

from gateway.bootstrap import running
from gateway.settings import Settings, SettingsError, load
from shared import logging, watching
from shared.settings import SettingError

log = structlog.get_logger(__name__)


def main() -> int:
    """Exit status 0 after an orderly stop, 2 for a wrong setting."""
    logging.configure("gateway")
    try:
        settings = load(os.environ)
        watching.start("gateway", os.environ)
    except (SettingsError, SettingError) as error:
        log.error("wrong_setting", detail=str(error))
        return 2
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(settings))
    return 0


async def serve(settings: Settings) -> None:
    """Serves until told to stop; lets requests in flight finish."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(settings) as port:
        log.info("listening", host=settings.host, port=port)
        await stop.wait()
        log.info("stopping")


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it exists (not on Windows), else the standard loop."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    sys.exit(main())
