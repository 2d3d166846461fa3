#!/bin/bash
# Installs what a bare Debian 12 lacks for Gatehouse, from Debian's own packages. Idempotent: where all is
# installed already it asks nothing of the network.
#
#   packaging/setup.sh           what the build and the running proxy need
#   packaging/setup.sh --demo    and what packaging/demo.sh needs: a PostgreSQL to stand in front of
#   packaging/setup.sh --test    and everything that tests/run.sh needs
#   packaging/setup.sh --list    prints the packages instead (with --demo or --test: theirs too)
#
# Exit: 0 all there, 1 something could not be installed, 2 wrong usage.
set -euo pipefail

build_packages=(cmake make gcc libc6-dev pkg-config libpq-dev libsqlite3-dev libssl-dev libevent-dev libyaml-dev
    check libpg-query-dev postgresql-server-dev-15)
demo_packages=(postgresql-15 postgresql-client-15 openssl)
test_packages=("${demo_packages[@]}" postgresql-contrib pgbouncer bash-completion zsh python3 python3-psycopg2 python3-psycopg
    python3-asyncpg clang clang-format libclang-rt-14-dev sqlsmith git procps
    # clients: tests/clients
    python3-sqlalchemy python3-django python3-pyodbc odbc-postgresql libpostgresql-jdbc-java libdbd-pg-perl php-cli php-pgsql
    pgcli ruby-pg ruby-activerecord)

packages=("${build_packages[@]}")
list=false
for argument in "$@"; do
    case $argument in
        --demo) packages+=("${demo_packages[@]}") ;;
        --test) packages+=("${test_packages[@]}") ;;
        --list) list=true ;;
        -h | --help)
            sed -n '2,10s/^# \{0,1\}//p' "$0"
            exit 0
            ;;
        *)
            echo "setup.sh: unknown argument $argument (try --help)" >&2
            exit 2
            ;;
    esac
done
if $list; then
    printf '%s\n' "${packages[@]}" | sort -u
    exit 0
fi
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "setup.sh: this is not Debian; docs/install.md lists what to install by hand" >&2
    exit 1
fi

missing=()
while read -r package; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done < <(printf '%s\n' "${packages[@]}" | sort -u)
if [ ${#missing[@]} -eq 0 ]; then
    echo "setup: everything is installed"
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "setup.sh: run as root (or install sudo); missing: ${missing[*]}" >&2
        exit 1
    }
    as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
# Debian would make and start a cluster at once; the tests and the demo bring up their own. The package's
# own setting is put back afterwards.
cluster_conf=/etc/postgresql-common/createcluster.conf
made_conf=false
if [ ! -e "$cluster_conf" ]; then
    "${as_root[@]}" mkdir -p "${cluster_conf%/*}"
    echo 'create_main_cluster = false' | "${as_root[@]}" tee "$cluster_conf" >/dev/null
    made_conf=true
fi
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    -o Dpkg::Options::=--force-confold "${missing[@]}"
if $made_conf; then
    if [ -e "$cluster_conf.dpkg-dist" ]; then
        "${as_root[@]}" mv "$cluster_conf.dpkg-dist" "$cluster_conf"
    else
        "${as_root[@]}" rm -f "$cluster_conf"
    fi
fi
echo "setup: done"
