"""Acquisition functions and their maximisation. Arrays only."""
