"""What tests of several services use: recording mail servers, waiting without sleeping, examples."""

from shared.testing.conditions import wait_until
from shared.testing.contracts import example
from shared.testing.faulty import Fault, FaultyMailServer
from shared.testing.mail import RecordingMailServer
from shared.testing.migrations import at_first_revision, columns_of, every_row

__all__ = [
    "Fault",
    "FaultyMailServer",
    "RecordingMailServer",
    "at_first_revision",
    "columns_of",
    "every_row",
    "example",
    "wait_until",
]
