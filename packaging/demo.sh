#!/bin/bash
# Shows Gatehouse at work: a throwaway PostgreSQL with a retailer's warehouse, the policy of policies/demo/, the
# proxy with TLS and an audit log in front, and the same queries asked by four people.
#
#   packaging/demo.sh          sets up, builds, shows, and takes everything down again
#   packaging/demo.sh --keep   leaves it running, and prints the psql lines to type
#
# As root it needs nothing but Debian 12; another user needs sudo where packages are missing.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
keep=false
case "${1:-}" in
    '') ;;
    --keep) keep=true ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "demo.sh: unknown argument $1 (try --help)" >&2; exit 2 ;;
esac

pg_bin=/usr/lib/postgresql/15/bin
gatehouse=$root/build/gatehouse
people=(alice bob carol dan)
declare -A who=([alice]='EU analyst' [bob]='US support' [carol]='HR: it, legal' [dan]='US analyst, contractor')
if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi
title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
note() { printf '%s%s%s\n' "$dim" "$*" "$plain"; }

# ---- build -----------------------------------------------------------------------------------------
title '1. Set up and build'
packaging/setup.sh --demo
build_log=$(mktemp)
if ! { cmake -S . -B build && cmake --build build --target gatehouse -j "$(nproc)"; } >"$build_log" 2>&1; then
    tail -30 "$build_log" >&2
    echo 'demo.sh: the build failed' >&2
    exit 1
fi
rm -f "$build_log"
note "build/gatehouse is $(stat -c %s build/gatehouse | numfmt --to=iec)B"

# ---- PostgreSQL ------------------------------------------------------------------------------------
work=$(mktemp -d "${TMPDIR:-/tmp}/gatehouse-demo-XXXXXX")
chmod 755 "$work"
mkdir "$work/pg" "$work/proxy"
chmod 700 "$work/proxy"
as_postgres() { # PostgreSQL refuses to run as root
    if [ "$(id -u)" -eq 0 ]; then
        su postgres -s /bin/sh -c "cd '$work' && $(printf '%q ' "$@")"
    else
        "$@"
    fi
}
proxy_pid=''
take_down() {
    [ -z "$proxy_pid" ] || { kill -TERM "$proxy_pid" && wait "$proxy_pid"; } 2>/dev/null || true
    as_postgres "$pg_bin/pg_ctl" -D "$work/pg/data" -m immediate -s stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap take_down EXIT

free_port() { # tries ports from a random one on; a connection that fails is a free port
    local port=$((20000 + RANDOM % 30000))
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    echo $port
}
pg_port=$(free_port)
proxy_port=$(free_port)
while [ "$proxy_port" = "$pg_port" ]; do proxy_port=$(free_port); done

title '2. A warehouse: PostgreSQL 15 with 20,000 customers, 120,000 orders, 90,000 payments, 240 employees'
[ "$(id -u)" -ne 0 ] || chown postgres: "$work/pg"
as_postgres "$pg_bin/initdb" -D "$work/pg/data" -U postgres -A trust -N --locale=C.UTF-8 -E UTF8 >/dev/null
for place in pg/data proxy; do # one self-signed certificate serves both sides here
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$work/$place/server.key" \
        -out "$work/$place/server.crt" 2>/dev/null
    chmod 600 "$work/$place/server.key"
done
cp "$work/pg/data/server.crt" "$work/proxy/warehouse-ca.crt"
cp "$work/proxy/server.crt" "$work/gatehouse-ca.crt"
[ "$(id -u)" -ne 0 ] || chown postgres: "$work"/pg/data/server.*
cat >>"$work/pg/data/postgresql.conf" <<CONF
port = $pg_port
listen_addresses = '127.0.0.1'
unix_socket_directories = '$work/pg'
unix_socket_permissions = 0700
ssl = on
fsync = off
password_encryption = 'scram-sha-256'
CONF
printf 'local all postgres trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n' >"$work/pg/data/pg_hba.conf"
as_postgres "$pg_bin/pg_ctl" -D "$work/pg/data" -l "$work/pg/log" -s -w start
upstream_password=$(openssl rand -hex 12)
admin=("$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$work/pg" -p "$pg_port" -U postgres)
PGOPTIONS='-c client_min_messages=error' "${admin[@]}" -d postgres <<SQL
CREATE ROLE gatehouse LOGIN PASSWORD '$upstream_password';
CREATE DATABASE retail;
SQL
"${admin[@]}" -d retail -f packaging/demo/warehouse.sql

# ---- Gatehouse -------------------------------------------------------------------------------------
title '3. Gatehouse in front of it: the policy of policies/demo/, passwords, TLS, an audit log'
(umask 077 && echo "$upstream_password" >"$work/proxy/retail.pass")
cat >"$work/proxy/gatehouse.yaml" <<YAML
listen:
  - address: 127.0.0.1:$proxy_port
tls: { mode: require, cert: server.crt, key: server.key }
acl: acl.db
audit: { dir: audit, durability: write, statements: full }
warehouses:
  retail:
    conninfo: "host=localhost port=$pg_port dbname=retail user=gatehouse sslmode=verify-full sslrootcert=warehouse-ca.crt"
    password_file: retail.pass
    pool: { mode: session, size: 20, idle: 4 }
control: gatehouse.sock
YAML
"$gatehouse" policy apply --acl "$work/proxy/acl.db" policies/demo/ | tail -1
declare -A password
for person in "${people[@]}"; do
    password[$person]=$person-demo
    "$gatehouse" user password --acl "$work/proxy/acl.db" "$person" <<<"${password[$person]}" >/dev/null
done
"$gatehouse" serve --config "$work/proxy/gatehouse.yaml" </dev/null >"$work/proxy/log" 2>&1 &
proxy_pid=$!
for _ in $(seq 100); do
    (exec 3<>"/dev/tcp/127.0.0.1/$proxy_port") 2>/dev/null && break
    kill -0 "$proxy_pid" 2>/dev/null || break
    sleep 0.05
done
kill -0 "$proxy_pid" 2>/dev/null || {
    proxy_pid=''
    cat "$work/proxy/log" >&2
    echo 'demo.sh: the proxy did not start' >&2
    exit 1
}
note "listening on 127.0.0.1:$proxy_port"

# ---- the same queries, four people -----------------------------------------------------------------
conninfo() { # PERSON: what psql connects to
    echo "host=localhost port=$proxy_port dbname=retail user=$1 sslmode=verify-full sslrootcert=$work/gatehouse-ca.crt"
}
width=${COLUMNS:-$({ tput cols </dev/tty; } 2>/dev/null || echo 132)}
[ "$width" -ge 100 ] || width=100
cell=$(((width - 3 * (${#people[@]} - 1)) / ${#people[@]}))

ask() { # PERSON SQL: the answer or the error, as psql shows it
    PGPASSWORD=${password[$1]} PGAPPNAME="demo" "$pg_bin/psql" -X -q -d "$(conninfo "$1")" -P null=NULL -P footer=off \
        -P border=0 -c "$2" 2>&1 | sed -e '/^LINE [0-9]/d' -e '/^ *^$/d' -e '/^$/d' | fold -s -w "$cell" || true
}
beside() { # FILE...: files as columns of the terminal
    awk -v cell="$cell" -v dim="$dim" -v plain="$plain" '
        FNR == 1 { column++ }
        { text[column, FNR] = substr($0, 1, cell); if (FNR > lines) lines = FNR }
        END { for (l = 1; l <= lines; l++) { row = ""
                for (c = 1; c <= column; c++)
                    row = row (c > 1 ? dim " | " plain : "") sprintf("%-" cell "s", text[c, l])
                sub(/ +$/, "", row); print row } }' "$@"
}
number=0
compare() { # WHAT SQL: the statement as everyone, side by side
    local person files=()
    number=$((number + 1))
    title "$1"
    printf '   %s\n\n' "$2"
    for person in "${people[@]}"; do
        { printf '%s (%s)\n' "$person" "${who[$person]}"; printf '%*s\n' "$cell" '' | tr ' ' -; ask "$person" "$2"; } \
            >"$work/answer-$person" &
        files+=("$work/answer-$person")
    done
    local job
    for job in $(jobs -pr); do [ "$job" = "$proxy_pid" ] || wait "$job" || true; done
    beside "${files[@]}"
}

compare '4. Who are the customers?' \
    'SELECT id, email FROM crm.customers ORDER BY id LIMIT 4'
compare '5. What did we sell?' \
    'SELECT region, count(*), sum(amount) FROM sales.orders GROUP BY region ORDER BY region'
compare '6. The query sees what the person sees, in WHERE too: searching for what is masked finds nothing' \
    "SELECT count(*) FROM crm.customers WHERE email LIKE 'anna.%'"
compare '7. Joins, sub-selects, CTEs: the rule holds wherever a table can stand' \
    'SELECT p.card, o.status FROM sales.payments p JOIN sales.orders o ON o.id = p.order_id ORDER BY p.id LIMIT 3'
compare '8. Row by row: salaries of one'"'"'s own departments, NULL for the others' \
    'SELECT name, dept, salary FROM hr.employees ORDER BY id LIMIT 5'
compare '9. What is not allowed is refused by name' \
    "SELECT query_to_xml('SELECT * FROM hr.employees', true, true, '')"

title '10. What was sent upstream for alice: hidden columns gone, masks and row filters inside'
sed -n -E '/"kind":"intent"/{/"user":"alice"/s/.*"rewritten":"(([^"\\]|\\.)*)".*/\1/p}' "$work"/proxy/audit/audit-*.jsonl |
    sed -e 's/\\n/ /g' -e 's/\\"/"/g' -e 's/\\\\/\\/g' | head -2 | fold -s -w "$((width - 3))" | sed 's/^/   /'

title '11. What the audit log says'
"$gatehouse" audit tail --limit 60 --config "$work/proxy/gatehouse.yaml" | grep -vE ' log(in|out) ' | tail -14 | cut -c "1-$width"

if $keep; then
    title 'It keeps running. Try:'
    for person in "${people[@]}"; do
        echo "   PGPASSWORD=${password[$person]} psql '$(conninfo "$person")'"
    done
    echo "   $gatehouse audit search --config $work/proxy/gatehouse.yaml --user alice"
    echo "   edit policies/demo/data.yaml, then: $gatehouse policy apply --acl $work/proxy/acl.db policies/demo/"
    cat >"$work/stop.sh" <<STOP
#!/bin/bash
# Ends the demo and removes its files.
kill -TERM $proxy_pid
if [ "\$(id -u)" -eq 0 ]; then
    su postgres -s /bin/sh -c "cd / && $pg_bin/pg_ctl -D '$work/pg/data' -m immediate -s stop"
else
    $pg_bin/pg_ctl -D '$work/pg/data' -m immediate -s stop
fi
rm -rf '$work'
STOP
    chmod +x "$work/stop.sh"
    echo "   and at the end: $work/stop.sh"
    disown "$proxy_pid"
    trap - EXIT
fi
