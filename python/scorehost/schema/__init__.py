"""The schema decorators, for environments without inference-schema.

The import hook serves this package as ``inference_schema`` when nobody else
does; it makes the same documents and the same conversions. Spark samples
need the real package.
"""
