"""What a network looks at: the papers' pictures of single clips."""
