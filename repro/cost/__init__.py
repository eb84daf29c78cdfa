"""What a network costs: multiply-accumulates, parameters, time, and whether a claimed speed can be."""
