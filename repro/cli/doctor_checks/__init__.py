"""What works on this machine and what does not, in a minute and without data: the `doctor` verb."""
