"""Recurrent networks in NumPy, as the course teaches them.

Start at :mod:`rnncourse.cells` (what happens between two affine maps) and :mod:`rnncourse.unroll` (time).
"""
