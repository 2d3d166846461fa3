#!/bin/bash
# Builds everything and runs every test.
#
#   tests/run.sh                     all, in under 25 minutes on two cores
#   tests/run.sh --long              also the soaks and the long fuzzing
#   tests/run.sh --only SUITE...     these suites (see --list); the build they need is made
#   tests/run.sh --list
#
# Each suite prints its time and its sums; the last line is `N passed, N failed`, and the exit status says
# whether all passed. What could not run here is said as `skip`, with the reason. Logs: build/test-logs.
# GH_JOBS: how many things run at once (default: as many as cores).
set -u
cd "$(dirname "$0")/.." || exit 2
root=$PWD
export LC_ALL=C.UTF-8 GH_LONG=0
# Check's limits are for a machine that has nothing else to do.
export CK_TIMEOUT_MULTIPLIER=4
jobs=${GH_JOBS:-$(nproc)}
# Debian's own Python: its modules are what packaging/setup.sh installs.
python=/usr/bin/python3
[ -x "$python" ] || python=python3

suites=(unit lint clang integration protocol clients attack differential fault fuzz demo readme bench corpus asan)
only=()
while [ $# -gt 0 ]; do
    case $1 in
        --long) export GH_LONG=1 ;;
        --list) printf '%s\n' "${suites[@]}"; exit 0 ;;
        --only) shift; only=("$@"); break ;;
        -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "run.sh: unknown argument $1 (try --help)" >&2; exit 2 ;;
    esac
    shift
done
for suite in "${only[@]}"; do
    [[ " ${suites[*]} " == *" $suite "* ]] || { echo "run.sh: no suite $suite (try --list)" >&2; exit 2; }
done
wanted() { [ ${#only[@]} -eq 0 ] || [[ " ${only[*]} " == *" $1 "* ]]; }

logs=$root/build/test-logs
mkdir -p "$logs" || exit 2
rm -f "$logs"/*
passed=0 failed=0 skipped=0 broken=()

# ---- one program -----------------------------------------------------------------------------------
# Runs NAME COMMAND... with its log; leaves `passed failed skipped seconds` in NAME.sum. A program that fails
# without saying how many, or that says nothing, counts as one.
program() {
    local name=$1 begin=$SECONDS rc sum p f s
    shift
    timeout --kill-after=30 "${GH_TIMEOUT:-900}" "$@" >"$logs/$name.log" 2>&1 </dev/null
    rc=$?
    sum=$(grep -aE '^([A-Za-z]+: )?[0-9]+ passed, [0-9]+ failed' "$logs/$name.log" | tail -1)
    if [[ $sum =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)? ]]; then
        p=${BASH_REMATCH[1]} f=${BASH_REMATCH[2]} s=${BASH_REMATCH[4]:-0}
    else
        p=0 f=0 s=0
        [ $rc -eq 0 ] && p=1
    fi
    if [ $rc -ne 0 ] && [ "$f" -eq 0 ]; then
        f=1
        [ $rc -eq 124 ] && echo "not ok: stopped after ${GH_TIMEOUT:-900} s" >>"$logs/$name.log"
        echo "exit $rc" >>"$logs/$name.log"
    fi
    echo "$p $f $s $((SECONDS - begin))" >"$logs/$name.sum"
}

# Adds up NAMEs and prints a line each; the failures' own words follow.
report() {
    local name p f s t
    for name in "$@"; do
        read -r p f s t <"$logs/$name.sum"
        passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
        printf '  %-34s %5d passed %4d failed %4d skipped %5d s\n' "$name" "$p" "$f" "$s" "$t"
        grep -aE '^skip ' "$logs/$name.log" | sort -u | head -10 | sed 's/^/      /'
        if [ "$f" -gt 0 ]; then
            broken+=("$name")
            grep -aE -A 14 '^not ok' "$logs/$name.log" | cut -c1-2000 | head -60 | sed 's/^/      /'
            grep -aqE '^not ok' "$logs/$name.log" || tail -25 "$logs/$name.log" | cut -c1-2000 | sed 's/^/      /'
        fi
    done
}

# Runs the programs of tests/KIND, `jobs` at once, under the names PREFIX-KIND-FILE.
kind() {
    local prefix=$1 folder=$2 file name names=() running=0
    for file in tests/"$folder"/*.py tests/"$folder"/*.sh; do
        [ -e "$file" ] || continue
        case $file in */corpus.py) continue ;; esac # the corpus suite's
        name=$prefix$folder-$(basename "${file%.*}")
        names+=("$name")
        if [ $running -ge "$jobs" ]; then
            wait -n
            running=$((running - 1))
        fi
        case $file in
            *.py) program "$name" "$python" "$file" & ;;
            *) program "$name" bash "$file" & ;;
        esac
        running=$((running + 1))
    done
    wait
    if [ ${#names[@]} -eq 0 ]; then
        echo "  skip $folder: there are no programs in tests/$folder"
    else
        report "${names[@]}"
    fi
}

say() { printf '== %s (%d s)\n' "$*" "$SECONDS"; }

# build FOLDER CMAKE-ARGUMENTS...: configures and builds; a failure ends the run where nothing can follow.
build() {
    local folder=$1
    shift
    cmake -S "$root" -B "$folder" "$@" >"$logs/build-$(basename "$folder").log" 2>&1 &&
        cmake --build "$folder" -j "$jobs" >>"$logs/build-$(basename "$folder").log" 2>&1 && return 0
    grep -E 'error|Error|warning:' "$logs/build-$(basename "$folder").log" | head -20
    tail -5 "$logs/build-$(basename "$folder").log"
    return 1
}

# unit FOLDER NAME: ctest, counted by Check's own sums.
unit() {
    (cd "$1" && ctest -V -j "$jobs") >"$logs/$2.raw" 2>&1
    local rc=$? p f
    read -r p f < <(awk -F'[ ,:]+' '/Checks: [0-9]+, Failures/ {
        for (i = 1; i <= NF; i++) { if ($i == "Checks") c += $(i + 1); if ($i == "Failures" || $i == "Errors") b += $(i + 1) } }
        END { print c - b, b + 0 }' "$logs/$2.raw")
    {
        grep -aE ':[EF]:|SUMMARY: |runtime error|\*\*\*(Failed|Timeout|Exception)|ERROR: AddressSanitizer' "$logs/$2.raw" | sed 's/^/not ok /'
        [ $rc -eq 0 ] || [ "$f" -gt 0 ] || f=1
        echo "$p passed, $f failed"
    } >"$logs/$2.log"
    echo "$p $f 0 $((SECONDS - ${3:-$SECONDS}))" >"$logs/$2.sum"
    report "$2"
}

# ---- set-up and build ------------------------------------------------------------------------------
say 'set-up'
packaging/setup.sh --test >"$logs/setup.log" 2>&1 || { tail -20 "$logs/setup.log"; echo '0 passed, 1 failed'; exit 1; }
say 'build: gcc, warnings are errors'
build build -DCMAKE_C_COMPILER=gcc || { echo 'the build failed'; echo '0 passed, 1 failed'; exit 1; }
export GATEHOUSE=$root/build/gatehouse

if wanted unit; then say 'unit'; unit build unit $SECONDS; fi
if wanted lint; then
    say 'lint'
    for check in tests/lint/{headers,banned,layers,format,globals,attacks,clients}; do program "lint-$(basename "$check")" "$check"; done
    report lint-headers lint-banned lint-layers lint-format lint-globals lint-attacks lint-clients
fi
if wanted clang; then
    say 'build: clang, warnings are errors'
    program clang bash -c 'cmake -S . -B build-clang -DCMAKE_C_COMPILER=clang && cmake --build build-clang -j "$1"' _ "$jobs"
    report clang
fi

# ---- the system against a real PostgreSQL ----------------------------------------------------------
for suite in integration protocol clients attack differential fault; do
    if wanted $suite; then say "$suite"; kind '' $suite; fi
done
if wanted fuzz; then
    say 'fuzz'
    if [ -e tests/fuzz/run.sh ]; then
        program fuzz bash tests/fuzz/run.sh
        report fuzz
    else
        echo '  skip fuzz: there is no tests/fuzz/run.sh'
    fi
fi
if wanted demo; then
    say 'demo'
    program demo bash tests/lib/demo.sh
    report demo
fi
if wanted readme; then
    say 'the tour of README.md'
    program readme "$python" tests/lib/readme.py
    report readme
fi
if wanted bench; then
    say 'bench (a smoke run: that it works, not how fast)'
    program bench bash tests/bench/run.sh --smoke
    report bench
fi
if wanted corpus; then
    say 'corpora beside the checkout'
    if [ -e "$root/../shared/attacks/run.py" ] && [ "$(id -u)" -eq 0 ]; then
        program corpus-attacks "$python" tests/attack/corpus.py "$root/../shared/attacks"
        report corpus-attacks
    else
        echo '  skip corpus-attacks: there is no corpus of attacks beside the checkout, or this is not root'
    fi
    if [ -e "$root/../shared/clients/run.sh" ]; then
        clients=(psql psycopg2 psycopg3 asyncpg libpq_c postgres_fdw pgbench pg_dump)
        # Clients of other registries run where the machine has them.
        { [ -e /usr/share/java/postgresql.jar ] && command -v javac > /dev/null && clients+=(jdbc); } ||
            echo '  skip corpus client jdbc: no javac or no /usr/share/java/postgresql.jar'
        { "$python" -c 'import pyodbc' 2> /dev/null && clients+=(odbc); } ||
            echo '  skip corpus client odbc: no pyodbc'
        { [ -d /usr/share/gocode/src/github.com/lib/pq ] && command -v go > /dev/null && clients+=(go_libpq); } ||
            echo '  skip corpus client go_libpq: no Go or no lib/pq'
        program corpus-clients "$python" tests/clients/corpus.py "$root/../shared/clients" "${clients[@]}"
        report corpus-clients
    else
        echo '  skip corpus-clients: there is no corpus of clients beside the checkout'
    fi
fi

# ---- the same under the sanitizers -----------------------------------------------------------------
if wanted asan; then
    say 'build: address and undefined behaviour sanitizers'
    if build build-asan -DCMAKE_C_COMPILER=gcc -DGATEHOUSE_SANITIZE=address,undefined; then
        export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
        export GATEHOUSE=$root/build-asan/gatehouse GH_SANITIZED=1 CK_TIMEOUT_MULTIPLIER=10
        unit build-asan asan-unit $SECONDS
        for suite in integration protocol attack fault; do
            say "$suite, sanitized"
            kind asan- $suite
        done
    else
        failed=$((failed + 1)) broken+=(build-asan)
    fi
fi
if [ "$GH_LONG" = 1 ]; then
    say 'soak'
    kind '' soak
fi

say 'done'
[ ${#broken[@]} -eq 0 ] || echo "failing: ${broken[*]}"
[ $skipped -eq 0 ] || echo "$skipped tests were skipped, for the reasons above"
if [ $((passed + failed)) -eq 0 ]; then
    echo 'nothing ran'
    failed=1
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
