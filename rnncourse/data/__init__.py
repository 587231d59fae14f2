"""Real data that comes inside the pinned packages: one file a data set, nothing is downloaded."""
