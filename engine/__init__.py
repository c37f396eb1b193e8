"""Tunedesk engine: everything that is true without a browser."""
