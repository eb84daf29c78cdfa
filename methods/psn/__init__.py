"""Perceptron synthesis network (PSN, AAAI 2021), and the RF blocks that it is compared with."""
