#!/bin/bash
# Fuzzing with libFuzzer under the address and undefined behaviour sanitizers.
#
#   tests/fuzz/run.sh [TARGET...]     the same inputs each time, about a minute in all; with GH_LONG=1 two and a half minutes a target from a new
#                                     seed
#
# What is found is kept in build-fuzz/found; its text is in the output, and `build-fuzz/fuzz_TARGET FILE` runs it again.
set -u
cd "$(dirname "$0")/../.." || exit 2
python=/usr/bin/python3
[ -x "$python" ] || python=python3
if ! command -v clang >/dev/null || ! echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | clang -fsanitize=fuzzer,address -x c - -o /dev/null 2>/dev/null; then
    echo 'skip fuzz  # no clang with libFuzzer (Debian: clang, libclang-rt-14-dev)'
    echo '0 passed, 0 failed, 1 skipped'
    exit 0
fi
out=$PWD/build-fuzz
log=$(mktemp)
if ! { cmake -S . -B "$out" -DCMAKE_C_COMPILER=clang -DGATEHOUSE_SANITIZE=address,undefined -DGATEHOUSE_TESTS=OFF -DGATEHOUSE_FUZZ=ON \
    -DCMAKE_C_FLAGS=-fsanitize=fuzzer-no-link && cmake --build "$out" -j "${GH_JOBS:-$(nproc)}" --target fuzz_{rewrite,template,wire,text,scram}; } >"$log" 2>&1; then
    tail -20 "$log"
    echo '0 passed, 1 failed'
    exit 1
fi
rm -f "$log"
targets=("$@")
[ $# -gt 0 ] || targets=(rewrite template wire text scram)
declare -A runs=([rewrite]=60000 [template]=40000 [wire]=500000 [text]=40000 [scram]=150000)
seed=1
[ "${GH_LONG:-0}" = 1 ] && seed=$RANDOM$RANDOM
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
corpus=$(mktemp -d) && trap 'rm -rf "$corpus"' EXIT
"$python" tests/fuzz/seeds.py "$corpus" || exit 1
mkdir -p "$out/found"
passed=0 failed=0
for target in "${targets[@]}"; do
    log=$out/fuzz_$target.log
    size=-runs=${runs[$target]}
    [ "${GH_LONG:-0}" = 1 ] && size=-max_total_time=150
    if "$out/fuzz_$target" "$corpus/$target" -seed="$seed" "$size" -max_len=4096 -timeout=30 -rss_limit_mb=4096 \
        -artifact_prefix="$out/found/$target-" -print_final_stats=1 >"$log" 2>&1; then
        ran=$(grep -ao 'number_of_executed_units: [0-9]*' "$log" | grep -o '[0-9]*$')
        echo "ok $target: ${ran:-0} runs, seed $seed"
        passed=$((passed + 1))
        [ "${ran:-0}" -ge 1000 ] || { echo "not ok $target: only ${ran:-0} runs"; failed=$((failed + 1)); }
    else
        failed=$((failed + 1))
        echo "not ok $target, seed $seed"
        grep -aE '^Base64: ' "$log"
        grep -aE -A 12 '^== |ERROR: |runtime error|SUMMARY|Test unit written' "$log" | head -50
    fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
