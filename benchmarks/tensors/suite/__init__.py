"""What `run.py` is made of, beside the rig of ../load.

loads    the requests
servers  how each server is started
measure  what is measured, part by part
goals    the goals, and the tables
"""
