"""``rnncourse COMMAND``, or ``python -m rnncourse COMMAND``: what instructors do from the root of a course."""

import argparse
import sys

from rnncourse.grading import cli, qualify, report


def main() -> int:
    parser = argparse.ArgumentParser(prog="rnncourse", description=__doc__.split(": ", 1)[1])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    grade = commands.add_parser("grade", help="grade a class, confined and in parallel", description=cli.__doc__)
    cli.arguments(grade)
    grade.set_defaults(run=cli.main)
    wrong = commands.add_parser("report", help="show what the class got wrong", description=report.__doc__)
    report.arguments(wrong)
    wrong.set_defaults(run=report.main)
    tests = commands.add_parser(
        "qualify", help="find tests that depend on how they are run", description=qualify.__doc__
    )
    qualify.arguments(tests)
    tests.set_defaults(run=qualify.main)
    options = parser.parse_args()
    return options.run(options)


if __name__ == "__main__":
    sys.exit(main())
