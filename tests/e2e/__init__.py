"""The real `azmlinfsrv` on loopback, as clients and operators see it."""
