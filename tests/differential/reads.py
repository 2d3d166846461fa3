"""Random queries of random users, three ways at once:

    by the proxy over the whole warehouse  =  directly over a copy that holds only the visible cells (same rows, same SQLSTATE)
    by the proxy over the whole warehouse  =  by the proxy over its twin, whose hidden cells differ (the same bytes)

The copy is made by tests/lib/cells.py, which computes the rule cell by cell. Where two parts of a statement can fail, or one
fails on rows that another removes, PostgreSQL's plan decides; such a difference counts only if no plan of PostgreSQL's own
over the copy gives the answer. Now and then a lookup by key comes again and again with other constants (src/session/lookup.c).

    reads.py [SEED [QUERIES]]
"""
import os
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import copies
import gatehouse_test as gt
import queries

LONG = os.environ.get('GH_LONG') == '1'
USERS = 6
# Of the statements, so many may need the look at other plans.
EXPLAINED_MAX = 0.05
# What a prepared lookup may meet before its next use.
BETWEEN = ('DEALLOCATE ALL', 'BEGIN; SELECT 1 / 0', 'ROLLBACK', "SET DateStyle = 'SQL, DMY'", 'RESET DateStyle', "SET TimeZone = 'Asia/Tokyo'", 'RESET TimeZone',
           'BEGIN', 'COMMIT', 'SET plan_cache_mode = force_generic_plan', 'RESET plan_cache_mode', 'SET standard_conforming_strings = on', 'SET extra_float_digits = 0')


def show(what, user, sql, parameters, *answers):
    print(f'not ok {what} as {user}\n    {sql}\n    parameters {parameters}')
    for name, answer in answers:
        print(f'    {name:8} {str(answer)[:400]}')
    sys.stdout.flush()


def compare(world, user, sql, parameters, count):
    if not world.proxy.alive():
        raise gt.TestError(f'the proxy died:\n{world.proxy.log()[-3000:]}')
    seen = copies.ask(world.direct(f'seen_{user}'), sql, parameters)
    full = copies.ask(world.proxied(user), sql, parameters)
    twin = copies.ask(world.proxied(user, world.twin_of(user)), sql, parameters)
    count['all'] += 1
    if '57014' in (seen.sqlstate, full.sqlstate, twin.sqlstate):
        count['slow'] += 1
        return
    count['failing' if seen.sqlstate else 'answering' if seen.rows else 'empty'] += 1
    wrong = []
    if full.outcome != seen.outcome and not copies.both_fail(full.outcome, seen.outcome) and \
            not copies.are_both_wrong(full.outcome, seen.outcome) and not world.plans(user, sql, parameters, full.outcome):
        wrong.append('the visible cells answer otherwise')
    if full.raw != twin.raw and not (full.sqlstate and full.error == twin.error and world.may_come_before(user, sql, parameters, full, twin)):
        # Of rows that fail, the first one that the plan comes to is named.
        texts = [a.error['M'] for a in (full, twin)] if copies.differ_in_text(full, twin) else [None, None]
        if (full.outcome == twin.outcome and texts[0] is None) or \
                not all(world.plans(user, sql, parameters, a.outcome, text) for a, text in zip((full, twin), texts)):
            wrong.append('LEAK: hidden cells change the answer')
    count['explained'] += not wrong and (full.outcome != seen.outcome or full.raw != twin.raw)
    if not wrong and not full.sqlstate and not seen.sqlstate and full.types != seen.types and not any(t > 16384 for t in full.types + seen.types):
        wrong.append(f'other types: {full.types} {seen.types}')
    count['wrong'] += bool(wrong)
    if wrong:
        show('; '.join(wrong), user, sql, parameters, ('visible', seen), ('proxy', full), ('twin', twin))


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1 << 30) if LONG else 7
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 20000 if LONG else 1500
    print(f'seed {seed}, {size} statements')
    count = dict.fromkeys(('all', 'answering', 'empty', 'failing', 'slow', 'explained', 'wrong'), 0)
    with gt.Scratch() as scratch, gt.Postgres(scratch) as pg:
        pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
        with copies.Copies(scratch, pg, seed, USERS) as world:
            rng = random.Random(seed + 1)
            makers = {u: queries.Queries(rng, world.tables(u), ['w.map', 'w.nothing']) for u in world.policies if world.tables(u)}
            for i in range(size):
                user = rng.choice(sorted(makers))
                sql, parameters = makers[user].query(parameters=i % 3 == 0)
                compare(world, user, sql, parameters, count)
                if i % 50 == 0:
                    for sql in makers[user].lookups(7):
                        compare(world, user, sql, None, count)
                        if rng.random() < 0.1:
                            between = rng.choice(BETWEEN)
                            for c in (world.direct(f'seen_{user}'), world.proxied(user), world.proxied(user, world.twin_of(user))):
                                c.query(between)
                                del c.log[:]
    print(', '.join(f'{v} {k}' for k, v in count.items()))
    if count['answering'] < count['all'] / 10 or count['failing'] < count['all'] / 20:
        print('not ok the statements are too dull')
        count['wrong'] += 1
    if count['explained'] > count['all'] * EXPLAINED_MAX:
        print('not ok too many differences are left to plans')
        count['wrong'] += 1
    print(f'{count["all"] - count["wrong"]} passed, {count["wrong"]} failed')
    sys.exit(count['wrong'] > 0)


if __name__ == '__main__':
    main()
