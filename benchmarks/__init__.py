"""What the course's own code costs, against its peers: the same work, in the same run. `make bench` runs all of it."""
