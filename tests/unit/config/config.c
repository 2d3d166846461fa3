#include "suites.h"

#include <gatehouse/config.h>

#include <stdlib.h>

#define GOOD_TAIL                                                                                  \
    "tls: { mode: require, cert: server.crt, key: /etc/server.key }\n"                             \
    "acl: acl.db\n"                                                                                \
    "audit: { dir: audit }\n"                                                                      \
    "warehouses:\n  wh:\n    conninfo: host=db\n"

static gh_arena *s_arena;
static gh_buf s_faults;
static gh_config s_config;

static void setup(void)
{
    s_arena = gh_arena_new(0);
    gh_buf_init(&s_faults, 0);
}

static void teardown(void)
{
    gh_buf_fini(&s_faults);
    gh_arena_free(s_arena);
}

static void refused(const char *text, const char *faults)
{
    gh_buf_clear(&s_faults);
    ck_assert_int_eq(
        gh_config_read(GH_STR("g.yaml"), gh_str_of(text), s_arena, &s_config, &s_faults),
        GH_INVALID);
    gh_buf_put_u8(&s_faults, 0);
    ck_assert_str_eq(s_faults.ptr, faults);
}

static void accepted(const char *path, const char *text)
{
    gh_buf_clear(&s_faults);
    gh_rc rc = gh_config_read(gh_str_of(path), gh_str_of(text), s_arena, &s_config, &s_faults);
    gh_buf_put_u8(&s_faults, 0);
    ck_assert_msg(rc == GH_OK, "%s", s_faults.ptr);
}

START_TEST(config_reads_all)
{
    accepted("/etc/gatehouse/gatehouse.yaml",
             "listen:\n  - address: 127.0.0.1:6432\n  - address: '[2001:db8::1]:6433'\n"
             "tls: { mode: prefer, cert: server.crt, key: /srv/server.key }\n"
             "acl: acl.db\n"
             "audit: { dir: audit, durability: fsync, statements: fingerprint }\n"
             "warehouses:\n"
             "  wh:\n"
             "    conninfo: \"host=db sslmode=verify-full\"\n"
             "    password_file: wh.pass\n"
             "    pool: { mode: session, size: 50, idle: 5 }\n"
             "    mode: enforce\n"
             "  other: { conninfo: service=other, password_env: OTHER_PASSWORD }\n"
             "workers: 3\n"
             "control: gatehouse.sock\n"
             "limits: { statement_bytes: 1MiB, statement_memory: 64MiB, clients: 500 }\n");
    const gh_config *c = &s_config;
    ck_assert_uint_eq(c->listen_count, 2);
    ck_assert(c->listen[0].is_loopback);
    ck_assert(gh_str_is(c->listen[1].address, "[2001:db8::1]:6433"));
    ck_assert(!c->listen[1].is_loopback);
    ck_assert_int_eq(c->tls.mode, GH_CONFIG_TLS_PREFER);
    ck_assert_str_eq(c->tls.cert.ptr, "/etc/gatehouse/server.crt");
    ck_assert_str_eq(c->tls.key.ptr, "/srv/server.key");
    ck_assert_str_eq(c->acl.ptr, "/etc/gatehouse/acl.db");
    ck_assert_int_eq(c->audit.durability, GH_CONFIG_FSYNC);
    ck_assert_int_eq(c->audit.statements, GH_CONFIG_FINGERPRINT);
    const gh_config_warehouse *wh = gh_config_warehouse_find(c, GH_STR("wh"));
    ck_assert_ptr_nonnull(wh);
    ck_assert_str_eq(wh->conninfo.ptr, "host=db sslmode=verify-full");
    ck_assert_str_eq(wh->password_file.ptr, "/etc/gatehouse/wh.pass");
    ck_assert_uint_eq(wh->pool_size, 50);
    ck_assert_uint_eq(wh->pool_idle, 5);
    const gh_config_warehouse *other = gh_config_warehouse_find(c, GH_STR("other"));
    ck_assert_str_eq(other->password_env.ptr, "OTHER_PASSWORD");
    ck_assert_uint_eq(other->pool_size, 100);
    ck_assert_ptr_null(gh_config_warehouse_find(c, GH_STR("none")));
    ck_assert_uint_eq(c->workers, 3);
    ck_assert_str_eq(c->control.ptr, "/etc/gatehouse/gatehouse.sock");
    ck_assert_uint_eq(c->limits.statement_bytes, 1 << 20);
    ck_assert_uint_eq(c->limits.clients, 500);
}
END_TEST

START_TEST(config_defaults)
{
    accepted("g.yaml", "listen: [{ address: '*:6432' }]\n" GOOD_TAIL "workers: auto\n");
    ck_assert_int_eq(s_config.tls.mode, GH_CONFIG_TLS_REQUIRE);
    ck_assert_str_eq(s_config.tls.cert.ptr, "server.crt");
    ck_assert_uint_eq(s_config.dir.len, 0);
    ck_assert_int_eq(s_config.audit.durability, GH_CONFIG_WRITE);
    ck_assert_int_eq(s_config.audit.statements, GH_CONFIG_FULL);
    ck_assert_uint_eq(s_config.workers, 0);
    ck_assert_uint_eq(s_config.control.len, 0);
    ck_assert_uint_eq(s_config.limits.statement_bytes, GH_SQL_BYTES_MAX);
    ck_assert_uint_eq(s_config.limits.statement_memory, GH_SQL_MEMORY_MAX);
    ck_assert_uint_eq(s_config.limits.clients, GH_CLIENTS_MAX);
    ck_assert_uint_eq(s_config.limits.logins, GH_LOGINS_MAX);
    ck_assert_uint_eq(s_config.limits.login_timeout_ms, GH_LOGIN_TIMEOUT_MS);
}
END_TEST

START_TEST(config_reports_every_fault)
{
    refused(
        "listen: []\npassword: x\ntls: { mode: maybe }\naudit: { durability: sometimes }\n"
        "warehouses: {}\nworkers: 0\n",
        "g.yaml:2:1: password: unknown key; expected one of listen, tls, acl, audit, warehouses, "
        "workers, control, admin, limits\n"
        "g.yaml:1:9: listen: expected 1 to 64 addresses\n"
        "g.yaml:3:14: tls.mode: expected one of require, prefer, disable, found \"maybe\"\n"
        "g.yaml:3:6: tls.cert: missing: the path of the server's certificate (PEM)\n"
        "g.yaml:3:6: tls.key: missing: the path of the certificate's private key\n"
        "g.yaml:1:1: acl: missing\n"
        "g.yaml:4:8: audit.dir: missing: the folder of the audit log\n"
        "g.yaml:4:22: audit.durability: expected one of fsync, write, found \"sometimes\"\n"
        "g.yaml:5:13: warehouses: expected 1 to 1000 warehouses\n"
        "g.yaml:6:10: workers: expected a whole number from 1 to 256, found \"0\"\n");
}
END_TEST

/* What is an address here is one to who listens. */
START_TEST(config_takes_addresses)
{
    static const char good[] =
        "0.0.0.0:1 255.255.255.255:65535 *:1 [::]:1 [::1]:1 [1::]:1 [1:2:3:4:5:6:7:8]:1 "
        "[::2:3:4:5:6:7:8]:1 [1:2:3:4:5:6:7::]:1 [fe80::DEAD:beef]:1 "
        "[::ffff:127.0.0.1]:1 [1:2:3:4:5:6:1.2.3.4]:1 ";

    for (const char *at = good; *at != '\0'; at = strchr(at, ' ') + 1) {
        gh_arena *a = gh_arena_new(0);
        gh_str address = gh_arena_dup(a, (gh_str){ at, strcspn(at, " ") });
        gh_str text = gh_arena_printf(a, "listen: [{ address: '%s' }]\n" GOOD_TAIL, address.ptr);

        accepted("g.yaml", text.ptr);
        ck_assert_str_eq(s_config.listen[0].address.ptr, address.ptr);
        gh_arena_free(a);
    }
}
END_TEST

START_TEST(config_refuses_bad_addresses)
{
    static const char bad_ones[] =
        "6432 :6432 127.0.0.1 127.0.0.1:0 127.0.0.1:65536 127.0.0.1:-1 127.0.0.1:1e3x "
        "localhost:6432 "
        "127.0.0.1.example.com:1 127.0.0:6432 127.1:6432 2130706433:6432 1.2.3.256:1 1.2.3.04:1 "
        "1.2.3.4.:1 .1.2.3:1 1.2.3.4.5:1 ::1:6432 ::1]:6432 [::1:6432 []:1 [::1] [*]:6432 "
        "[127.0.0.1]:6432 [::g]:6432 [1::2::3]:1 [:::]:1 [1:]:1 [:1]:1 [12345::]:1 [::1.2.3]:1 "
        "[1:2:3:4:5:6:7]:1 [1:2:3:4:5:6:7::8]:1 [1:2:3:4:5:6:7:8:9]:1 [1:2:3:4:5:6:7:1.2.3.4]:1 ";

    for (const char *at = bad_ones; *at != '\0'; at = strchr(at, ' ') + 1) {
        gh_arena *a = gh_arena_new(0);
        gh_str bad = gh_arena_dup(a, (gh_str){ at, strcspn(at, " ") });
        gh_str text = gh_arena_printf(a, "listen:\n  - address: '%s'\n" GOOD_TAIL, bad.ptr);
        gh_str fault = gh_arena_printf(a,
                                       "g.yaml:2:14: address: expected 127.0.0.1:6432, "
                                       "[::1]:6432 or *:6432, found \"%s\"\n",
                                       bad.ptr);
        refused(text.ptr, fault.ptr);
        gh_arena_free(a);
    }
}
END_TEST

START_TEST(config_two_of_one_place)
{
    static const struct {
        const char *first;
        const char *second;
        bool is_taken;
    } all[] = {
        { "127.0.0.1:6432", "127.0.0.1:6432", true },
        { "127.0.0.1:6432", "127.0.0.1:06432", true },
        { "[::1]:6432", "[::1]:6432", true },
        { "*:6432", "127.0.0.1:6432", true },
        { "[::1]:6432", "*:6432", true },
        { "0.0.0.0:6432", "127.0.0.1:6432", true },
        { "10.0.0.1:6432", "0.0.0.0:6432", true },
        { "0.0.0.0:6432", "[::]:6432", true },
        { "0.0.0.0:6432", "[::1]:6432", false },
        { "127.0.0.1:6432", "127.0.0.1:6433", false },
        { "127.0.0.1:6432", "127.0.0.2:6432", false },
        { "*:6432", "127.0.0.1:6433", false },
    };
    gh_arena *a = gh_arena_new(0);

    for (size_t i = 0; i < GH_COUNT(all); i++) {
        const char *first = all[i].first;
        const char *second = all[i].second;
        const char *fault =
            gh_arena_printf(a, "%s is listened on already, as %s under listen\n", second, first)
                .ptr;
        const char *two =
            gh_arena_printf(a, "listen: [{ address: '%s' }, { address: '%s' }]\n" GOOD_TAIL, first,
                            second)
                .ptr;
        const char *admin = gh_arena_printf(a,
                                            "listen: [{ address: '%s' }]\n" GOOD_TAIL
                                            "admin: { address: '%s', insecure: true }\n",
                                            first, second)
                                .ptr;

        if (!all[i].is_taken) {
            accepted("g.yaml", two);
            accepted("g.yaml", admin);
            continue;
        }
        refused(two, gh_arena_printf(
                         a, "g.yaml:1:%zu: address: %s",
                         strlen("listen: [{ address: '' }, { address: ") + strlen(first) + 1, fault)
                         .ptr);
        refused(admin, gh_arena_printf(a, "g.yaml:8:19: admin.address: %s", fault).ptr);
    }
    gh_arena_free(a);
}
END_TEST

START_TEST(config_control_path)
{
    char path[GH_CONFIG_SOCKET_PATH_MAX + 2] = "/";
    const char *head = "listen: [{ address: '127.0.0.1:1' }]\n" GOOD_TAIL;
    gh_arena *a = gh_arena_new(0);

    memset(path + 1, 'x', GH_CONFIG_SOCKET_PATH_MAX - 1);
    accepted("/g/g.yaml", gh_arena_printf(a, "%scontrol: %s\n", head, path).ptr);
    refused(
        gh_arena_printf(a, "%scontrol: %sx\n", head, path).ptr,
        gh_arena_printf(a, "g.yaml:8:10: control: expected a path of at most %d bytes, found %sx\n",
                        GH_CONFIG_SOCKET_PATH_MAX, path)
            .ptr);
    gh_arena_free(a);
}
END_TEST

#define DISABLED(address, more)                                                                    \
    "listen:\n  - address: '" address "'\n"                                                        \
    "tls: { mode: disable" more " }\n"                                                             \
    "acl: acl.db\naudit: { dir: audit }\nwarehouses: { wh: { conninfo: host=db } }\n"

START_TEST(config_plaintext_is_for_loopback)
{
    accepted("g.yaml", DISABLED("127.0.0.1:6432", ""));
    accepted("g.yaml", DISABLED("127.9.9.9:6432", ""));
    accepted("g.yaml", DISABLED("[::1]:6432", ""));
    accepted("g.yaml", DISABLED("10.0.0.1:6432", ", insecure: true"));
    refused(
        DISABLED("10.0.0.1:6432", ""),
        "g.yaml:3:14: tls.mode: disable is for loopback addresses, and 10.0.0.1:6432 is none; use "
        "require, or say `insecure: true` under tls\n");
    refused(DISABLED("*:6432", ""),
            "g.yaml:3:14: tls.mode: disable is for loopback addresses, and *:6432 is none; use "
            "require, or say `insecure: true` under tls\n");
    refused(DISABLED("[::]:6432", ""),
            "g.yaml:3:14: tls.mode: disable is for loopback addresses, and [::]:6432 is none; use "
            "require, or say `insecure: true` under tls\n");
    refused(
        DISABLED("0.0.0.0:6432", ", insecure: false"),
        "g.yaml:3:14: tls.mode: disable is for loopback addresses, and 0.0.0.0:6432 is none; use "
        "require, or say `insecure: true` under tls\n");
}
END_TEST

START_TEST(config_refuses_what_is_not_there)
{
    refused(
        "listen: [{ address: '127.0.0.1:1' }]\n"
        "tls: { cert: a, key: b }\n"
        "acl: { source: host=x, cache: acl.db }\n"
        "audit: { dir: audit }\n"
        "warehouses:\n"
        "  wh: { conninfo: host=db, mode: watch, pool: { mode: transaction } }\n"
        "admin: { address: '192.0.2.1:6433' }\n",
        "g.yaml:3:6: acl: an ACL kept in PostgreSQL (source, cache) is not available in this "
        "version; expected the path of the ACL file\n"
        "g.yaml:6:55: pool.mode: transaction is not available in this version; expected session\n"
        "g.yaml:6:34: mode: expected one of enforce, observe, found \"watch\"\n"
        "g.yaml:7:19: admin.address: metrics ask nobody who they are: expected a loopback address, "
        "or "
        "`insecure: true`\n");
}
END_TEST

#define WITH_TLS(tls)                                                                              \
    "listen: [{ address: '127.0.0.1:1' }]\ntls: { " tls " }\nacl: a\naudit: { dir: d }\n"          \
    "warehouses: { wh: { conninfo: host=db } }\n"

START_TEST(config_client_certificates)
{
    gh_arena *a = gh_arena_new(0);
    gh_buf faults;
    gh_config c = { 0 };

    gh_buf_init(&faults, 0);
    ck_assert_int_eq(
        gh_config_read(GH_STR("etc/g.yaml"),
                       GH_STR(WITH_TLS("cert: a, key: b, client_ca: ca.crt, client_crl: /x.crl, "
                                       "client_name: uri, client_map: { 'spiffe://x/a': alice }")),
                       a, &c, &faults),
        GH_OK);
    ck_assert(gh_str_is(c.tls.client_ca, "etc/ca.crt"));
    ck_assert(gh_str_is(c.tls.client_crl, "/x.crl"));
    ck_assert_int_eq(c.tls.client_name, GH_CONFIG_CLIENT_URI);
    ck_assert_uint_eq(c.tls.client_map_len, 1);
    ck_assert(gh_str_is(c.tls.client_map[0].name, "spiffe://x/a"));
    ck_assert(gh_str_is(c.tls.client_map[0].user, "alice"));
    ck_assert_int_eq(
        gh_config_read(GH_STR("g.yaml"), GH_STR(WITH_TLS("cert: a, key: b")), a, &c, &faults),
        GH_OK);
    ck_assert_uint_eq(c.tls.client_ca.len, 0);
    ck_assert_int_eq(c.tls.client_name, GH_CONFIG_CLIENT_CN);
    ck_assert_uint_eq(c.tls.client_map_len, 0);
    gh_buf_fini(&faults);
    gh_arena_free(a);
    refused(
        WITH_TLS("cert: a, key: b, client_name: cnn, client_ca: c"),
        "g.yaml:2:38: tls.client_name: expected one of cn, dn, dns, email, uri, found \"cnn\"\n");
    refused(WITH_TLS("cert: a, key: b, client_map: { x: y }"),
            "g.yaml:2:37: client_map: it says how to read client certificates, which need "
            "client_ca\n");
    refused(WITH_TLS("cert: a, key: b, client_ca: c, client_map: {}"),
            "g.yaml:2:51: tls.client_map: expected 1 to 10000 names of certificates\n");
    refused(WITH_TLS("mode: disable, client_ca: c"),
            "g.yaml:2:34: tls.client_ca: client certificates need TLS, and tls.mode is disable\n");
}
END_TEST

START_TEST(config_refuses_bad_warehouses)
{
    refused("listen: [{ address: '127.0.0.1:1' }]\ntls: { cert: a, key: b }\nacl: a\naudit: { dir: "
            "d }\n"
            "warehouses:\n"
            "  wh: { password_file: x, password_env: Y, pool: { size: 5, idle: 6 } }\n"
            "  two: 7\n",
            "g.yaml:6:7: conninfo: missing\n"
            "g.yaml:6:41: password_env: expected it or password_file, not both\n"
            "g.yaml:6:67: pool.idle: expected a whole number from 0 to 5, found \"6\"\n"
            "g.yaml:7:8: warehouses.two: expected keys with values, found a single value\n");
}
END_TEST

START_TEST(config_warehouse_name_bound)
{
    gh_arena *a = gh_arena_new(0);
    const char *head = "listen: [{ address: '127.0.0.1:1' }]\ntls: { cert: a, key: b }\nacl: a\n"
                       "audit: { dir: d }\nwarehouses:\n";
    char name[65];

    memset(name, 'w', sizeof(name));
    accepted("g.yaml", gh_arena_printf(a, "%s  %.63s: { conninfo: host=db }\n", head, name).ptr);
    refused(gh_arena_printf(a, "%s  %.64s: { conninfo: host=db }\n", head, name).ptr,
            "g.yaml:6:3: warehouses: expected a name of 1 to 63 bytes\n");
    gh_arena_free(a);
}
END_TEST

/* Each limit at its bounds and one past them. */
START_TEST(config_limits)
{
    static const struct limit {
        const char *key;
        const char *least;
        const char *most;
        const char *below;
        const char *above;
        const char *expected;
    } all[] = {
        { "statement_bytes", "1024", "1073741822", "1023", "1073741823",
          "a size from 1024 to 1073741822, such as 64kB, 16MiB or 1GB" },
        { "statement_memory", "1MiB", "64GiB", "1048575", "68719476737",
          "a size from 1MiB to 65536MiB, such as 64kB, 16MiB or 1GB" },
        { "clients", "1", "1000000", "0", "1000001", "a whole number from 1 to 1000000" },
        { "logins", "1", "1000000", "0", "1000001", "a whole number from 1 to 1000000" },
        { "login_timeout", "1ms", "10m", "0", "600001ms",
          "a duration up to 600s, such as 500ms, 60s, 5m, 4h or 7d" },
    };
    gh_arena *a = gh_arena_new(0);

    for (size_t i = 0; i < GH_COUNT(all); i++) {
        const char *good[] = { all[i].least, all[i].most };
        const char *bad[] = { all[i].below, all[i].above };
        const char *head = "listen: [{ address: '127.0.0.1:1' }]\n" GOOD_TAIL;

        for (size_t k = 0; k < GH_COUNT(good); k++)
            accepted("g.yaml",
                     gh_arena_printf(a, "%slimits: { %s: %s }\n", head, all[i].key, good[k]).ptr);
        for (size_t k = 0; k < GH_COUNT(bad); k++)
            refused(gh_arena_printf(a, "%slimits: { %s: %s }\n", head, all[i].key, bad[k]).ptr,
                    gh_arena_printf(a, "g.yaml:8:%zu: limits.%s: expected %s, found \"%s\"\n",
                                    strlen("limits: { : ") + strlen(all[i].key) + 1, all[i].key,
                                    all[i].expected, bad[k])
                        .ptr);
    }
    gh_arena_free(a);
}
END_TEST

START_TEST(config_bounds)
{
    gh_arena *a = gh_arena_new(0);
    const char *head = "listen: [{ address: '127.0.0.1:1' }]\n" GOOD_TAIL;

    accepted("g.yaml", gh_arena_printf(a, "%slimits: { statement_bytes: 1024 }\n", head).ptr);
    refused(gh_arena_printf(a, "%slimits: { statement_bytes: 1023 }\n", head).ptr,
            "g.yaml:8:28: limits.statement_bytes: expected a size from 1024 to 1073741822, such as "
            "64kB, 16MiB or 1GB, found \"1023\"\n");
    accepted("g.yaml", gh_arena_printf(a, "%sworkers: 256\n", head).ptr);
    refused(gh_arena_printf(a, "%sworkers: 257\n", head).ptr,
            "g.yaml:8:10: workers: expected a whole number from 1 to 256, found \"257\"\n");
    refused(gh_arena_printf(a, "%sworkers: many\n", head).ptr,
            "g.yaml:8:10: workers: expected auto or a whole number from 1 to 256\n");
    gh_arena_free(a);
}
END_TEST

START_TEST(config_refuses_large_and_empty)
{
    size_t len = GH_CONFIG_BYTES_MAX + 1;
    char *text = gh_alloc(len + 1);

    memset(text, '#', len);
    ck_assert_int_eq(
        gh_config_read(GH_STR("g.yaml"), (gh_str){ text, len }, s_arena, &s_config, &s_faults),
        GH_LIMIT);
    gh_buf_put_u8(&s_faults, 0);
    ck_assert_str_eq(s_faults.ptr, "g.yaml: expected at most 1024 KiB\n");
    refused("", "g.yaml:1:1: expected keys with values, found nothing\n");
    text[len - 1] = '\0';
    refused(text, "g.yaml:1:1: expected keys with values, found nothing\n"); /* at the bound */
    free(text);
}
END_TEST

Suite *suite_config(void)
{
    Suite *s = suite_create("config");
    TCase *t = tcase_create("config");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, config_reads_all);
    tcase_add_test(t, config_defaults);
    tcase_add_test(t, config_limits);
    tcase_add_test(t, config_reports_every_fault);
    tcase_add_test(t, config_takes_addresses);
    tcase_add_test(t, config_refuses_bad_addresses);
    tcase_add_test(t, config_two_of_one_place);
    tcase_add_test(t, config_control_path);
    tcase_add_test(t, config_plaintext_is_for_loopback);
    tcase_add_test(t, config_refuses_what_is_not_there);
    tcase_add_test(t, config_client_certificates);
    tcase_add_test(t, config_refuses_bad_warehouses);
    tcase_add_test(t, config_warehouse_name_bound);
    tcase_add_test(t, config_bounds);
    tcase_add_test(t, config_refuses_large_and_empty);
    suite_add_tcase(s, t);
    return s;
}
