"""Requests and responses for scripts that work on raw HTTP."""
