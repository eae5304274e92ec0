# SPDX-License-Identifier: MIT OR Apache-2.0
"""Answers one JSON line per request line, so that Eosin's bench can take turns with a peer."""

import argparse
import json
import sys


def serve(handle):
    """Calls handle(request, threads) for every line; it returns a list of answers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, required=True)
    threads = parser.parse_args().threads
    for line in sys.stdin:
        print(json.dumps(handle(json.loads(line), threads)), flush=True)
