"""Stored records, their scores, and the metrics of scores."""
