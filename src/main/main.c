#include <gatehouse/cli.h>

int main(int argc, char **argv)
{
    return gh_cli_run(argc, argv);
}
