"""What tests of several services use: recording mail servers, waiting without sleeping, examples."""

from shared.testing.conditions import wait_until
from shared.testing.contracts import example
from shared.testing.faulty import Fault, FaultyMailServer
from shared.testing.mail import RecordingMailServer

__all__ = ["Fault", "FaultyMailServer", "RecordingMailServer", "example", "wait_until"]
