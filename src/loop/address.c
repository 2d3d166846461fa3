/*
 * Addresses as the config file writes them, and as people read them in logs. No names: only
 * numbers.
 */
#include <gatehouse/loop.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

static gh_rc malformed(gh_str text, gh_err *err)
{
    return gh_fail(err, GH_INVALID, "F0000",
                   "\"" GH_STR_FMT
                   "\" is not an address: expected 127.0.0.1:6432, [::1]:6432, *:6432 "
                   "or an absolute path",
                   (int)(text.len > 100 ? 100 : text.len), text.ptr != NULL ? text.ptr : "");
}

/* Decimal, no sign, no leading blanks; at most 65535. */
static bool parse_port(gh_str text, uint16_t *out)
{
    uint32_t port = 0;

    if (text.len == 0 || text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        port = port * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    if (port > 65535)
        return false;
    *out = (uint16_t)port;
    return true;
}

static gh_rc parse_unix(gh_str text, gh_address *out, gh_err *err)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };

    if (text.len >= sizeof(un.sun_path) || memchr(text.ptr, '\0', text.len) != NULL)
        return gh_fail(err, GH_INVALID, "F0000", "the path of a socket has at most %zu bytes",
                       sizeof(un.sun_path) - 1);
    memcpy(un.sun_path, text.ptr, text.len);
    gh_address_from((const struct sockaddr *)&un, sizeof(un), out);
    return GH_OK;
}

gh_rc gh_address_parse(gh_str text, gh_address *out, gh_err *err)
{
    char host[INET6_ADDRSTRLEN] = "";
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    struct sockaddr_in in4 = { .sin_family = AF_INET };
    size_t host_len;
    uint16_t port;

    if (text.len > 0 && text.ptr[0] == '/')
        return parse_unix(text, out, err);
    const char *colon = text.len == 0 ? NULL : memrchr(text.ptr, ':', text.len);
    if (colon == NULL)
        return malformed(text, err);
    host_len = (size_t)(colon - text.ptr);
    if (!parse_port((gh_str){ colon + 1, text.len - host_len - 1 }, &port))
        return malformed(text, err);
    bool is_bracketed = host_len >= 2 && text.ptr[0] == '[' && colon[-1] == ']';
    gh_str inner =
        is_bracketed ? (gh_str){ text.ptr + 1, host_len - 2 } : (gh_str){ text.ptr, host_len };
    if (inner.len == 0 || inner.len >= sizeof(host) || memchr(inner.ptr, '\0', inner.len) != NULL)
        return malformed(text, err);
    memcpy(host, inner.ptr, inner.len);
    if (!is_bracketed && strcmp(host, "*") == 0) {
        in6.sin6_port = htons(port); /* in6addr_any is all zero */
        gh_address_from((const struct sockaddr *)&in6, sizeof(in6), out);
        return GH_OK;
    }
    if (is_bracketed && inet_pton(AF_INET6, host, &in6.sin6_addr) == 1) {
        in6.sin6_port = htons(port);
        gh_address_from((const struct sockaddr *)&in6, sizeof(in6), out);
        return GH_OK;
    }
    if (!is_bracketed && inet_pton(AF_INET, host, &in4.sin_addr) == 1) {
        in4.sin_port = htons(port);
        gh_address_from((const struct sockaddr *)&in4, sizeof(in4), out);
        return GH_OK;
    }
    return malformed(text, err);
}

static void from_in4(const struct sockaddr_in *in4, gh_address *out)
{
    char host[INET_ADDRSTRLEN] = "";

    memcpy(&out->addr, in4, sizeof(*in4));
    out->len = sizeof(*in4);
    out->is_loopback = (ntohl(in4->sin_addr.s_addr) >> 24) == 127;
    (void)inet_ntop(AF_INET, &in4->sin_addr, host, sizeof(host));
    (void)snprintf(out->text, sizeof(out->text), "%s:%u", host, (unsigned)ntohs(in4->sin_port));
}

static void from_in6(const struct sockaddr_in6 *in6, gh_address *out)
{
    char host[INET6_ADDRSTRLEN] = "";

    /* An IPv4 client of a socket for both shows as ::ffff:1.2.3.4; people and rules mean 1.2.3.4. */
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = in6->sin6_port };
        memcpy(&in4.sin_addr, in6->sin6_addr.s6_addr + 12, 4);
        from_in4(&in4, out);
        return;
    }
    memcpy(&out->addr, in6, sizeof(*in6));
    out->len = sizeof(*in6);
    out->is_loopback = IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
    (void)inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
    (void)snprintf(out->text, sizeof(out->text), "[%s]:%u", host, (unsigned)ntohs(in6->sin6_port));
}

void gh_address_from(const struct sockaddr *addr, socklen_t len, gh_address *out)
{
    struct sockaddr_storage copy;

    memset(out, 0, sizeof(*out));
    memset(&copy, 0, sizeof(copy));
    memcpy(&copy, addr, len < sizeof(copy) ? len : sizeof(copy));
    if (copy.ss_family == AF_INET) {
        struct sockaddr_in in4;
        memcpy(&in4, &copy, sizeof(in4));
        from_in4(&in4, out);
    } else if (copy.ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &copy, sizeof(in6));
        from_in6(&in6, out);
    } else if (copy.ss_family == AF_UNIX) {
        struct sockaddr_un un;
        memcpy(&un, &copy, sizeof(un));
        memcpy(&out->addr, &un, sizeof(un));
        out->len = len;
        out->is_unix = true;
        out->is_loopback = true;
        (void)snprintf(out->text, sizeof(out->text), "%.*s", (int)sizeof(un.sun_path),
                       un.sun_path[0] != '\0' ? un.sun_path : "unix");
    }
}
