"""What tests of several services use: a recording mail server, waiting without sleeping, examples."""

from shared.testing.conditions import wait_until
from shared.testing.contracts import example
from shared.testing.mail import RecordingMailServer

__all__ = ["RecordingMailServer", "example", "wait_until"]
