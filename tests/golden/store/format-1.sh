#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# How the store in format-1/ was made, once, by the release before cold shards (f22e6e3). It is
# never made anew: later releases, whose rows say which file they are of, must refuse it.
set -eu
cd "$(dirname "$0")/../../.."
eosin embed tests/fixtures/cmu-1-small-region.svs --backbone colour-statistics \
    --tile-um 400 --tile-px 224 --store tests/golden/store/format-1
