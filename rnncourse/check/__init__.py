"""What a student's notebook calls: is the answer right, and if not, what went wrong.

One file an exercise (`recurrence`, …) holds its tasks; `task` says what a task is; `compare` finds the first
difference; `diagnose` turns it into a message; `notebooks` writes answers into notebooks, for tests and for the
simulated class.
"""

from rnncourse.check.compare import CheckFailed, assert_same

__all__ = ["CheckFailed", "assert_same"]
