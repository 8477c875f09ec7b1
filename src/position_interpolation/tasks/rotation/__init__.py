"""What a method does to each frequency of a base."""
