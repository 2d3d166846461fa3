/*
 * Certificates as far as the command line deals with them: a self-signed one to begin with, and
 * whether a certificate and a key belong together.
 */
#include "cli_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>
#include <unistd.h>

static gh_rc crypto_fail(gh_err *err, const char *what)
{
    char text[160];

    ERR_error_string_n(ERR_get_error(), text, sizeof(text));
    ERR_clear_error();
    gh_rc rc = gh_fail(err, GH_IO, "58030", "%s", what);
    gh_err_detail(err, "%s", text);
    return rc;
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool is_good = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_good;
}

static bool fill_certificate(X509 *cert, EVP_PKEY *key, const char *common_name, int days)
{
    char names[300];
    BIGNUM *serial = BN_new();
    bool is_good = serial != NULL &&
                   BN_rand(serial, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
                   BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL;

    BN_free(serial);
    (void)snprintf(names, sizeof(names), "DNS:localhost,IP:127.0.0.1,IP:::1,DNS:%s", common_name);
    X509_NAME *name = X509_get_subject_name(cert);
    return is_good && X509_set_version(cert, X509_VERSION_3) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -300) != NULL && /* clocks differ */
           X509_gmtime_adj(X509_getm_notAfter(cert), 86400L * days) != NULL &&
           X509_set_pubkey(cert, key) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name,
                                      -1, -1, 0) == 1 &&
           X509_set_issuer_name(cert, name) == 1 &&
           add_extension(cert, NID_subject_key_identifier, "hash") &&
           add_extension(cert, NID_basic_constraints, "critical,CA:TRUE") &&
           add_extension(cert, NID_subject_alt_name, names) &&
           add_extension(cert, NID_ext_key_usage, "serverAuth") &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

/* Makes a file that must not exist, with its mode from the first byte on. */
static FILE *create_file(const char *path, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

    return fd < 0 ? NULL : fdopen(fd, "w");
}

static gh_rc write_pem(const char *path, mode_t mode, X509 *cert, EVP_PKEY *key, gh_err *err)
{
    FILE *f = create_file(path, mode);

    if (f == NULL)
        return gh_fail(err, GH_IO, "58030", "%s: %s", path, strerror(errno));
    int is_good = cert != NULL ? PEM_write_X509(f, cert)
                               : PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    bool is_closed = fclose(f) == 0;
    if (is_good != 1 || !is_closed)
        return crypto_fail(err, path);
    return GH_OK;
}

gh_rc cli_make_certificate(const char *cert_path, const char *key_path, const char *common_name,
                           int days, gh_err *err)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    gh_rc rc = GH_OK;

    if (key == NULL || cert == NULL || !fill_certificate(cert, key, common_name, days))
        rc = crypto_fail(err, "the certificate could not be made");
    if (rc == GH_OK)
        rc = write_pem(key_path, 0600, NULL, key, err);
    if (rc == GH_OK)
        rc = write_pem(cert_path, 0644, cert, NULL, err);
    X509_free(cert);
    EVP_PKEY_free(key);
    return rc;
}

static gh_rc read_pem(gh_str cert_pem, gh_str key_pem, X509 **cert, EVP_PKEY **key, gh_err *err)
{
    BIO *cert_bio = BIO_new_mem_buf(cert_pem.ptr, (int)cert_pem.len);
    BIO *key_bio = BIO_new_mem_buf(key_pem.ptr, (int)key_pem.len);

    *cert = cert_bio != NULL ? PEM_read_bio_X509(cert_bio, NULL, NULL, NULL) : NULL;
    /* An empty passphrase: an encrypted key must fail here, not ask a terminal. */
    char none[] = "";
    *key = key_bio != NULL ? PEM_read_bio_PrivateKey(key_bio, NULL, NULL, none) : NULL;
    BIO_free(cert_bio);
    BIO_free(key_bio);
    if (*cert == NULL)
        return crypto_fail(err, "the certificate is no PEM certificate");
    if (*key == NULL)
        return crypto_fail(err, "the key is no PEM private key without a passphrase");
    return GH_OK;
}

static bool time_of(const ASN1_TIME *t, int64_t *us)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(t, &tm) != 1)
        return false;
    *us = (int64_t)timegm(&tm) * 1000000;
    return true;
}

gh_rc cli_check_certificate(gh_str cert_pem, gh_str key_pem, int64_t *starts_us,
                            int64_t *expires_us, gh_err *err)
{
    X509 *cert = NULL;
    EVP_PKEY *key = NULL;
    int64_t starts = 0;
    int64_t expires = 0;
    gh_rc rc = read_pem(cert_pem, key_pem, &cert, &key, err);

    if (rc == GH_OK && X509_check_private_key(cert, key) != 1) {
        ERR_clear_error();
        rc = gh_fail(err, GH_INVALID, "F0000", "the key does not belong to the certificate");
    }
    if (rc == GH_OK && (!time_of(X509_get0_notBefore(cert), &starts) ||
                        !time_of(X509_get0_notAfter(cert), &expires)))
        rc = crypto_fail(err, "the certificate's validity makes no sense");
    X509_free(cert);
    EVP_PKEY_free(key);
    if (rc == GH_OK) {
        *starts_us = starts;
        *expires_us = expires;
    }
    return rc;
}
