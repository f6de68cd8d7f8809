"""What a quantised network is: types, attributes and ops."""
