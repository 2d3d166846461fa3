#!/bin/bash
# packaging/demo.sh runs to its end, says what it must, leaves nothing behind, and is quick once built.
set -u
cd "$(dirname "$0")/../.." || exit 2
passed=0 failed=0
check() { # WHAT COMMAND...
    local what=$1
    shift
    if "$@" >/dev/null 2>&1; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "not ok $what"; fi
}
out=$(mktemp)
scratch=$(mktemp -d)
chmod 755 "$scratch" # PostgreSQL's user passes through it
trap 'rm -rf "$out" "$scratch"' EXIT
begin=$SECONDS
TMPDIR=$scratch COLUMNS=140 packaging/demo.sh >"$out" 2>&1
rc=$?
seconds=$((SECONDS - begin))
cat "$out"
check 'it ends well' test $rc -eq 0
check "it takes no more than 20 s (it took $seconds s)" test $seconds -le 20
check 'it leaves no file behind' test -z "$(ls -A "$scratch")"
check 'a masked address' grep -Eq '[a-z]\*\*\*@example' "$out"
check 'a masked card' grep -Eq '\*{12}[0-9]{4}' "$out"
check 'a hidden table does not exist' grep -q 'does not exist' "$out"
check 'NULL salaries' grep -Eq '(it|legal|stores|logistics) +(NULL|[0-9]{5})' "$out"
check 'a refusal names the function' grep -q 'query_to_xml' "$out"
check 'the SQL sent upstream has the row filter' grep -Eq "'EU'" "$out"
check 'audit lines' grep -Eq '(intent|refused|outcome)' "$out"
check 'no address in clear for alice' test -z "$(grep -Eo '[a-z]+\.[a-z]+[0-9]+@example\.[a-z]+.*alice' "$out")"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
