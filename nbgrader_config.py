"""How nbgrader sees this course: solutions/ -> exercises/ -> submitted/ -> autograded/ -> feedback/."""

import os
import sys

c = get_config()  # noqa: F821 - given by traitlets

# nbgrader starts `alembic` by name when it makes a gradebook: let it find the one of this environment
os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])

c.CourseDirectory.course_id = "rnncourse"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"

# Other users of this machine can reach the ports that kernels listen on: let them read nothing there.
c.KernelManager.transport_encryption = "auto"

c.GenerateAssignment.force = True  # exercises/ comes with the course; without this a release would be skipped
c.GenerateAssignment.preprocessors = [
    "rnncourse.grading.release.RefuseSiblings",
    "rnncourse.grading.release.DeriveCellIds",
    "nbgrader.preprocessors.IncludeHeaderFooter",
    "nbgrader.preprocessors.LockCells",
    "nbgrader.preprocessors.ClearSolutions",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.SaveCells",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.ClearMarkScheme",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# One broken submission costs neither a classmate's grade nor its own record.
c.Autograde.exporter_class = "rnncourse.grading.repair.SubmissionExporter"
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.ClearOutput",
    "rnncourse.grading.repair.DeduplicateIds",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "rnncourse.grading.repair.RestoreCells",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "rnncourse.grading.execute.Execute",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# No hidden test in the feedback, and formulas without another host's help.
c.GenerateFeedback.exporter_class = "rnncourse.grading.feedback.FeedbackExporter"
c.GenerateFeedback.preprocessors = [
    "rnncourse.grading.feedback.HideTests",
    "nbgrader.preprocessors.GetGrades",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]

# What the students' confined processes need, and how a test says which misconception it recognised.
c.Sandbox.preload = ["numpy", "torch", "rnncourse.check"]
c.Sandbox.private = ["rnncourse.check.unaided"]
c.Sandbox.diagnosis = "Likely cause: exactly this comes out when (.*)"

# The mistakes that a test has to judge alike in one process and in two (`rnncourse qualify`).
c.Qualification.answers = "rnncourse.check.matrix.mistaken_answers"
