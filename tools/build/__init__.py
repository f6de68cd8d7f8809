"""What `qbuild` is made of."""
