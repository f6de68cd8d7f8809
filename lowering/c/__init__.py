"""The integer core of a network as a C99 library of one header and one source."""
