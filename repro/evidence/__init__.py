"""What a number is worth: printed values and statistics."""
