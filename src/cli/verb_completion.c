/*
 * completion: the scripts that make a shell ask this program what may come next (complete.c).
 */
#include "cli_priv.h"

static const char s_bash[] =
    "# gatehouse(1): completion for bash. Written by `gatehouse completion bash`.\n"
    "# The program itself says what may come next, so this script knows no command of its own.\n"
    "_gatehouse()\n"
    "{\n"
    "    local cur cword line word\n"
    "    local -a words\n"
    "    if declare -F _get_comp_words_by_ref >/dev/null; then\n"
    "        _get_comp_words_by_ref -n := cur words cword\n"
    "    else\n"
    "        cur=${COMP_WORDS[COMP_CWORD]} words=(\"${COMP_WORDS[@]}\") cword=$COMP_CWORD\n"
    "    fi\n"
    "    local typed=$cur skip=''\n"
    "    case $cur in \\'* | \\\"*) typed=${cur:1} ;; *) printf -v typed %b \"$cur\" ;; esac\n"
    "    # Readline replaces only what stands behind the last of these.\n"
    "    [[ $cur == *[:=]* ]] && skip=${typed%\"${typed##*[:=]}\"}\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        word=${line%%$'\\t'*}\n"
    "        case $word in\n"
    "        :files)\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "
    "\"${typed#\"$skip\"}\")\n"
    "            ;;\n"
    "        :dirs)\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- "
    "\"${typed#\"$skip\"}\")\n"
    "            ;;\n"
    "        *)\n"
    "            [[ $word == *[=\\(] ]] && compopt -o nospace 2>/dev/null\n"
    "            word=${word#\"$skip\"}\n"
    "            case $cur in \\'* | \\\"*) ;; *) printf -v word %q \"$word\"; "
    "word=${word//'\\,'/,} ;; esac\n"
    "            COMPREPLY+=(\"$word\")\n"
    "            ;;\n"
    "        esac\n"
    "    done < <(\"${words[0]}\" complete \"${words[@]:1:cword-1}\" \"$typed\" 2>/dev/null)\n"
    "}\n"
    "complete -F _gatehouse gatehouse\n";

static const char s_zsh[] =
    "#compdef gatehouse\n"
    "# gatehouse(1): completion for zsh. Written by `gatehouse completion zsh`.\n"
    "# The program itself says what may come next, so this script knows no command of its own.\n"
    "_gatehouse()\n"
    "{\n"
    "    local line word\n"
    "    local -a offered\n"
    "    for line in \"${(@f)$(\"${(Q)words[1]}\" complete \"${(@Q)words[2,CURRENT]}\" "
    "2>/dev/null)}\"; do\n"
    "        word=${line%%$'\\t'*}\n"
    "        case $word in\n"
    "        '') ;;\n"
    "        :files) _files ;;\n"
    "        :dirs) _files -/ ;;\n"
    "        *)\n"
    "            if [[ $line == *$'\\t'* ]]; then\n"
    "                offered+=(\"${word//:/\\\\:}:${line#*$'\\t'}\")\n"
    "            else\n"
    "                offered+=(\"${word//:/\\\\:}\")\n"
    "            fi\n"
    "            ;;\n"
    "        esac\n"
    "    done\n"
    "    (( $#offered )) && _describe -V gatehouse offered\n"
    "}\n"
    "if [[ $funcstack[1] == _gatehouse ]]; then\n"
    "    _gatehouse \"$@\"\n"
    "else\n"
    "    compdef _gatehouse gatehouse\n"
    "fi\n";

static int run_completion(cli_call *c)
{
    static const char *const shells[] = { "bash", "zsh" };
    size_t shell = 0;
    int code = cli_choose(c, gh_str_of(c->args[0]), "shell", shells, GH_COUNT(shells), &shell);

    if (code == GH_CLI_DONE)
        (void)fputs(shell == 0 ? s_bash : s_zsh, stdout);
    return code;
}

const cli_verb cli_completion = {
    .name = "completion",
    .args = "SHELL",
    .summary = "Write a script that completes commands in bash or zsh",
    .help = "`cmake --install` puts both where the shells look for them; so this is for a program "
            "that\n"
            "was copied by hand. The script asks `gatehouse complete WORDS...` with every key: "
            "commands,\n"
            "options, and names of the ACL that the line or GATEHOUSE_ACL, GATEHOUSE_CONFIG names.",
    .example =
        "  gatehouse completion bash > ~/.local/share/bash-completion/completions/gatehouse\n"
        "  gatehouse completion zsh > ~/.zfunc/_gatehouse",
    .args_min = 1,
    .args_max = 1,
    .run = run_completion,
};
