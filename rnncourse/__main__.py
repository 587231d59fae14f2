"""``rnncourse COMMAND``, or ``python -m rnncourse COMMAND``: what instructors do from the root of a course."""

import argparse
import sys

from rnncourse.grading import cli


def main() -> int:
    parser = argparse.ArgumentParser(prog="rnncourse", description=__doc__.split(": ", 1)[1])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    grade = commands.add_parser("grade", help="grade a class, confined and in parallel", description=cli.__doc__)
    cli.arguments(grade)
    grade.set_defaults(run=cli.main)
    options = parser.parse_args()
    return options.run(options)


if __name__ == "__main__":
    sys.exit(main())
