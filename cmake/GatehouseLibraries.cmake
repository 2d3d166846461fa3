# Third-party libraries, one owner module each (docs/dependencies.md).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(PQ REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(SSL REQUIRED IMPORTED_TARGET libssl)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(EVENT REQUIRED IMPORTED_TARGET libevent_core libevent_pthreads)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)

add_library(gh_lib_pq ALIAS PkgConfig::PQ)
add_library(gh_lib_sqlite3 ALIAS PkgConfig::SQLITE)
add_library(gh_lib_ssl ALIAS PkgConfig::SSL)
add_library(gh_lib_crypto ALIAS PkgConfig::CRYPTO)
add_library(gh_lib_event ALIAS PkgConfig::EVENT)
add_library(gh_lib_yaml ALIAS PkgConfig::YAML)

# PostgreSQL's own parser, as the static library that libpg-query-dev carries, with the node headers of
# postgresql-server-dev-15: the structs are those of the 15 series, the library's globals are thread-local.
find_library(PG_QUERY_LIBRARY NAMES libpg_query.a REQUIRED)
find_path(PG_SERVER_INCLUDE postgres.h PATHS /usr/include/postgresql/15/server REQUIRED NO_DEFAULT_PATH)
find_path(PG_QUERY_INCLUDE pg_query.h REQUIRED)
add_library(gh_lib_pg_query INTERFACE)
target_include_directories(gh_lib_pg_query SYSTEM INTERFACE ${PG_SERVER_INCLUDE})
target_compile_definitions(gh_lib_pg_query INTERFACE PGDLLIMPORT=__thread)
# Its inline list accessors, inlined, look to gcc as if they dereferenced NULL.
target_compile_options(gh_lib_pg_query INTERFACE -Wno-null-dereference)
# PostgreSQL's macros (foreach, strVal, castNode) are GNU C and cast const away. gcc does not report what comes out of
# a system header's macro, so that it still reports the same in code of ours; clang does not see the difference.
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
    target_compile_options(gh_lib_pg_query INTERFACE -Wno-gnu-statement-expression -Wno-cast-qual)
endif()
target_link_libraries(gh_lib_pg_query INTERFACE ${PG_QUERY_LIBRARY})
# src/sql/token.c stands between the grammar and its lexer.
target_link_options(gh_lib_pg_query INTERFACE -Wl,--wrap=base_yylex)
