/* What the shells' completion asks for. */
#ifndef GATEHOUSE_CLI_COMPLETE_H
#define GATEHOUSE_CLI_COMPLETE_H

#include "cli_priv.h"

/*
 * Prints what the last of the words (those behind `gatehouse`, the one at the cursor last, which may be
 * empty) may become. Diagnostics go to stderr, which the scripts throw away. An exit code.
 */
int cli_complete(const cli_verb *const *verbs, size_t verb_count, char *const *words, size_t count);

#endif
