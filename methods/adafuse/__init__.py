"""Adaptive temporal fusion (AdaFuse, ICLR 2021), and the rules and gates that it is compared with."""
