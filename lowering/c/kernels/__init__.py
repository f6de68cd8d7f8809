"""What an operation reads like in C, a file for each family."""
