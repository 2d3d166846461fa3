/*
 * SCRAM: verifiers as text (what is formatted is read back the same), and whole exchanges. The two halves of the input are the client's
 * two messages; no such exchange can be right, since nobody here knows the password's proof.
 */
#include <gatehouse/auth.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void verifier(gh_str text)
{
    gh_auth_verifier v;
    gh_auth_verifier again;
    gh_err err = { 0 };
    gh_buf out;

    if (gh_auth_verifier_parse(text, &v, &err) != GH_OK)
        return;
    gh_buf_init(&out, (size_t)16 << 20);
    gh_auth_verifier_format(&v, &out);
    if (gh_auth_verifier_parse((gh_str){ out.ptr, out.len }, &again, &err) != GH_OK ||
        again.iterations != v.iterations || again.salt_len != v.salt_len ||
        memcmp(again.salt, v.salt, v.salt_len) != 0 ||
        memcmp(again.stored_key, v.stored_key, sizeof(v.stored_key)) != 0 ||
        memcmp(again.server_key, v.server_key, sizeof(v.server_key)) != 0)
        abort();
    gh_buf_fini(&out);
}

static void exchange(gh_str body, gh_str second, bool is_known, bool has_tls)
{
    static const uint8_t nonce[GH_AUTH_NONCE_LEN] = { 1, 2, 3 };
    static gh_auth_verifier v;
    gh_auth_scram_args args = { .user = GH_STR("alice"),
                                .verifier = is_known ? &v : NULL,
                                .mock_secret = GH_STR("0123456789abcdef0123456789abcdef"),
                                .nonce = nonce,
                                .cert_hash = has_tls ? GH_STR("hash") : GH_STR("") };
    gh_wire_sasl_initial initial;
    gh_auth_scram *s;
    gh_err err = { 0 };
    gh_buf out;

    if (v.iterations == 0 && gh_auth_verifier_make(GH_STR("wonderland"), "0123456789abcdef", 16,
                                                   4096, &v, &err) != GH_OK)
        abort();
    if (gh_wire_decode_sasl_initial(body, &initial, &err) != GH_OK)
        return;
    s = gh_auth_scram_new(&args);
    gh_buf_init(&out, (size_t)16 << 20);
    if (gh_auth_scram_start(s, &initial, &out, &err) == GH_OK && gh_auth_scram_wants_proof(s) &&
        gh_auth_scram_step(s, second, &out, &err) == GH_OK)
        abort(); /* a login without the password */
    if (gh_auth_scram_step(s, second, &out, &err) == GH_OK)
        abort();
    gh_buf_fini(&out);
    gh_auth_scram_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t half;
    char *first;
    char *second;

    if (size < 2)
        return 0;
    half = data[1] < size - 2 ? data[1] : size - 2;
    first = malloc(half + 1);
    second = malloc(size - 2 - half + 1);
    memcpy(first, data + 2, half);
    memcpy(second, data + 2 + half, size - 2 - half);
    if ((data[0] & 1) != 0)
        verifier((gh_str){ second, size - 2 - half });
    else
        exchange((gh_str){ first, half }, (gh_str){ second, size - 2 - half }, (data[0] & 2) != 0,
                 (data[0] & 4) != 0);
    free(first);
    free(second);
    return 0;
}
