"""Training, evaluation, prediction, inspection of networks."""
