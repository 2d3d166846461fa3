#!/bin/bash
# Gatehouse against PostgreSQL alone and PgBouncer, side by side in one run: pgbench -S in three protocols, plain
# and TLS; streaming; memory of idle clients; and what planning costs (tests/bench/plan.c).
#
#   tests/bench/run.sh [--seconds 5] [--rounds 3] [--scale 10] [--clients 8] [--stream-mb 1024] [--idle 500]
#                      [--only NAME...] [--write] [--smoke]
#   --only throughput stream idle plan   these parts
#   --write    puts the tables into docs/benchmarks.md
#   --smoke    seconds, not minutes: shows that the benchmark works, and that of TPC-H (tpch.py), nothing else
# Needs a build (default build/gatehouse; GATEHOUSE names another) and packaging/setup.sh --test.
set -eu
python=/usr/bin/python3
[ -x "$python" ] || python=python3
here=$(dirname "$0")
[[ " $* " != *" --smoke "* ]] || "$python" "$here/tpch.py" --smoke
exec "$python" "$here/bench.py" "$@"
