"""Sends an exact number of requests, for tools that count.

    python3 benchmarks/load/send.py --port 5001 --count 1000

Under strace or callgrind, what was counted divided by what was sent is exact,
where a clock is not. Requests go out in rounds, one on each connection.
"""

import argparse
import sys

from rig.clients import ask, connect, request_bytes
from rig.loads import LOADS


def main(argv: list[str]) -> int:
    """Fails when an answer is not 200."""
    loads = {load.name: load for load in LOADS}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--load", choices=sorted(loads), default="json")
    args = parser.parse_args(argv)
    request = request_bytes(loads[args.load])
    peers = [connect(args.port) for _ in range(args.connections)]
    sent = 0
    while sent < args.count:
        round_of = peers[: args.count - sent]
        for peer in round_of[1:]:
            peer.sendall(request)
        statuses = [ask(round_of[0], request).status()]
        statuses += [ask(peer, b"").status() for peer in round_of[1:]]
        if statuses != [200] * len(round_of):
            print(f"answered {statuses}", file=sys.stderr)
            return 1
        sent += len(round_of)
    print(f"{sent} requests, all answered 200")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
