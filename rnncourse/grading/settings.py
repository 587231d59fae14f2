"""What a course may say in nbgrader_config.py about grading."""

from traitlets import Float, Integer, List, Unicode
from traitlets.config import Configurable


class Sandbox(Configurable):
    """The confined processes that run students' code. Set as ``c.Sandbox.… = …``."""

    preload = List(
        Unicode(),
        ["numpy"],
        help="Packages to import once, before the first notebook, besides what the exercise imports.",
    ).tag(config=True)
    private = List(
        Unicode(),
        help="Modules of which the student's process keeps a copy that no import finds: those whose functions a test "
        "applies to an answer there (`wrapped_there`).",
    ).tag(config=True)
    diagnosis = Unicode(
        "",
        help="A regular expression, matched against the error of a test cell, whose first group is the misconception "
        "that the test recognised.",
    ).tag(config=True)
    timeout = Float(30, help="Seconds for one cell.").tag(config=True)
    memory = Integer(2048, help="MiB for one process.").tag(config=True)


class Qualification(Configurable):
    """What a test has to judge alike however it is run. Set as ``c.Qualification.… = …``."""

    answers = Unicode(
        "",
        help="The dotted name of a function that gives answers to try beside the solution and the empty cells, such as "
        "known mistakes: assignment -> {what it is: {grade_id of the answer cell: source}}. Cells that it leaves out "
        "are the solution's.",
    ).tag(config=True)
