#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Makes a virtual environment in the folder $1 with what eosin-store's tests compare with, and
# prints the interpreter to name in EOSIN_PYTHON.
set -eu
python3 -m venv "$1"
"$1/bin/python" -m pip install --quiet --requirement "$(dirname "$0")/requirements.txt"
echo "$1/bin/python"
