"""Which cell learns what, and how fast: every comparison that takes longer than a chapter may run.

``make scoreboard`` trains all of it with the course's own back-propagation, in NumPy, and writes results/TASK.json. The
pages read these files; nothing that a page claims is typed by hand.
"""
