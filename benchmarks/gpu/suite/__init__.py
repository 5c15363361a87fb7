"""What benchmarks/gpu/run.py is made of.

build      the C programs, compiled at their first use; the CUDA runtimes
figures    figures as they come from a part, and as they are kept
goals      the goals and whether they are met
tables     everything else, in Markdown
road       csrc/cuda/stage.c for Python
timing     rounds in which every way is measured once
frameworks the part of that name: arrays of PyTorch, CuPy and JAX; a model fed in three ways
server     azmlinfsrv, and requests to it
endtoend   the part of that name: the same model behind azmlinfsrv
looping    ... and by itself, in a process of its own
"""
