"""Samples that tell the type of a parameter."""
