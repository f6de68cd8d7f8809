"""Ways out of the dialects: interpreter, C, hardware."""
