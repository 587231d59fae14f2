"""What an instructor runs. Knows nothing of recurrent networks: it serves any nbgrader course.

`repair` and `execute` are small steps that `nbgrader_config.py` puts into nbgrader's own pipeline, so that one
broken submission costs neither a classmate's grade nor its own record; ``python -m rnncourse.grading`` grades a
class with them and prints a table.
"""
