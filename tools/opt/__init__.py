"""What `qopt` is made of."""
