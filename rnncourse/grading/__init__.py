"""What an instructor runs. Knows nothing of recurrent networks: it serves any nbgrader course.

``rnncourse grade`` (`cli`, `table`) has a `coordinator` find who needs grading and record what comes out (`folder`,
`record`). The grading itself is a function of a specification (`spec`) and of bytes (`submission`), done by the
processes of a `pool` or by the workers of a `cluster`. Cells run (`notebook`) in two children (`child`) of a warm
process (`process`, `warm`, `shell`) behind walls (`sandbox`, `confine`, `cgroups`): the student's and the tests', which
speak through `peers`, `values`, `errors` and `wire`. ``rnncourse qualify`` (`qualify`) finds tests that would judge
otherwise in one process; ``rnncourse report`` (`report`) shows what the class got wrong. `release`, `repair`, `execute`
and `feedback` are what `nbgrader_config.py` puts into nbgrader's own pipeline.
"""
