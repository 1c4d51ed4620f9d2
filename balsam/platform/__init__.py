"""What differs between machines: adapters that turn text into data and back, found by their names."""
