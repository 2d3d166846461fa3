"""Writes a policy file of a given size to stdout: what a large company's ACL looks like.

    tests/bench/acl_generate.py [--rows 1000000] [--users 10000] [--columns 100000] [--roles 1000] > big.yaml

A row is one principal, privilege, table and column of the acl table. Tables have 20 columns each; a role's
grants name tables at random, list all their columns, mask some and filter the rows of some. Every user is in
three roles and has two attributes; roles stand in ten departments, which stand in one another. Tags lie on a
hundredth of the columns. The same arguments give the same file.
"""
import argparse
import random
import sys

COLUMNS = 20  # of a table
MASKS = ['hash', 'redact']


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (('rows', 1_000_000), ('users', 10_000), ('columns', 100_000), ('roles', 1000)):
        parser.add_argument(f'--{name}', type=int, default=default)
    parser.add_argument('--seed', type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    out = sys.stdout
    tables = max(1, args.columns // COLUMNS)

    def table(i):
        return f's{i % 100}.t{i}'

    out.write('version: 1\nroles:\n')
    for i in range(10):
        out.write(f'  dept{i}: {{ description: Department {i}{f", member_of: [dept{i - 1}]" if i % 5 else ""} }}\n')
    for i in range(args.roles):
        out.write(f'  role{i}: {{ member_of: [dept{i % 10}] }}\n')
    out.write('users:\n')
    for i in range(args.users):
        roles = sorted({rng.randrange(args.roles) for _ in range(3)})
        out.write(f'  user{i}: {{ roles: [{", ".join(f"role{r}" for r in roles)}], '
                  f'attributes: {{ region: r{i % 50}, teams: [t{i % 7}, t{i % 11}] }} }}\n')
    out.write('tags:\n  pii:\n')
    for i in range(max(1, args.columns // 100)):
        out.write(f'    - {table(i * 5 % tables)}.c{i % COLUMNS}\n')
    out.write('grants:\n')
    for i in range(max(1, args.rows // COLUMNS)):
        t = rng.randrange(tables)
        out.write(f'  - {{ to: [role{i % args.roles}], tables: [{table(t)}], '
                  f'columns: [{", ".join(f"c{c}" for c in range(COLUMNS))}]')
        if i % 3 == 0:
            out.write(f', mask: {{ c{1 + i % 5}: {MASKS[i % 2]} }}')
        if i % 4 == 0:
            out.write(', rows: "region = attr(\'region\')"')
        out.write(f', reason: REQ-{i} }}\n')
    out.write('masking:\n  - { tag: pii, with: hash, except: [dept9] }\n')


if __name__ == '__main__':
    main()
