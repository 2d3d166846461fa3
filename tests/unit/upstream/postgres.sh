#!/bin/sh
# A throwaway PostgreSQL with TLS and SCRAM: postgres.sh start DIR PORT | stop DIR
set -eu

bin=${PG_BIN:-/usr/lib/postgresql/15/bin}

# The server does not run as root.
as_server() {
    if [ "$(id -u)" = 0 ]; then
        su postgres -s /bin/sh -c "$1"
    else
        sh -c "$1"
    fi
}

make_ca() { # name
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -keyout "$1.key" -out "$1.crt" 2>/dev/null
}

make_cert() { # name ca subject-alternative-names
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
    printf 'subjectAltName=%s\n' "$3" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -days 2 \
        -extfile "$1.ext" -out "$1.crt" 2>/dev/null
}

start() {
    dir=$1
    port=$2
    cd "$dir"
    chmod 755 "$dir"
    make_ca ca
    make_ca other_ca
    make_cert server ca IP:127.0.0.1,DNS:localhost
    mkdir pg
    cp server.crt server.key pg/
    cat >pg/setup.sql <<'SQL'
CREATE ROLE gatehouse LOGIN PASSWORD 'right';
CREATE ROLE plain LOGIN PASSWORD 'right';
CREATE ROLE full LOGIN PASSWORD 'right' CONNECTION LIMIT 0;
CREATE DATABASE warehouse OWNER gatehouse;
SQL
    if [ "$(id -u)" = 0 ]; then
        chown -R postgres pg
    fi
    as_server "chmod 600 '$dir/pg/server.key'"
    as_server "'$bin/initdb' -D '$dir/pg/data' -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N >'$dir/pg/initdb.log' 2>&1"
    cat >conf <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$dir/pg'
password_encryption = 'scram-sha-256'
ssl = on
ssl_cert_file = '$dir/pg/server.crt'
ssl_key_file = '$dir/pg/server.key'
fsync = off
full_page_writes = off
shared_buffers = 16MB
max_connections = 40
autovacuum = off
log_connections = on
CONF
    cat >hba <<'HBA'
local all postgres trust
hostssl all postgres 127.0.0.1/32 trust
hostssl all gatehouse 127.0.0.1/32 scram-sha-256
hostssl all full 127.0.0.1/32 scram-sha-256
host all plain 127.0.0.1/32 scram-sha-256
HBA
    chmod 644 conf hba
    as_server "cat '$dir/conf' >>'$dir/pg/data/postgresql.conf' && cp '$dir/hba' '$dir/pg/data/pg_hba.conf'"
    as_server "'$bin/pg_ctl' -D '$dir/pg/data' -l '$dir/pg/server.log' -w -t 30 start >/dev/null"
    as_server "'$bin/psql' -q -h '$dir/pg' -p $port -U postgres -d postgres -v ON_ERROR_STOP=1 -f '$dir/pg/setup.sql'"
}

stop() {
    as_server "'$bin/pg_ctl' -D '$1/pg/data' -m immediate -w stop >/dev/null" || true
    rm -rf "$1"
}

case $1 in
start) start "$2" "$3" ;;
stop) stop "$2" ;;
esac
