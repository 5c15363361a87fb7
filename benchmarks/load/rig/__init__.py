"""What `run.py` is made of: servers, loads, clients, and what is made of it.

loads    what is asked of a server, and what it must answer
servers  how each server is started
venvs    the peers' environments and the floors' programs, made on demand
procs    a server's process tree: starting, CPU, memory, ending
clients  wrk, bursts, idle crowds, the start-up probe
traffic  closed loops with pauses, and requests at random
plan     the order in which all of it runs
results  the measurements as they are kept in results.json
targets  the goals and whether they are met
report   tables
picture  the SVG
"""
