"""As reads.py, over views that are granted with `through`: random queries of random users over random grants of views.

    by the proxy over the whole warehouse  =  directly over the same views in a copy that holds only the visible cells
    by the proxy over the whole warehouse  =  by the proxy over its twin, whose hidden cells differ

    through.py [SEED [QUERIES]]
"""
import os
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import copies
import gatehouse_test as gt
import queries
import reads
import views

LONG = os.environ.get('GH_LONG') == '1'
USERS = 3


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1 << 30) if LONG else 7
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 10000 if LONG else 200
    print(f'seed {seed}, {size} statements')
    rng = random.Random(seed + 1)
    count = dict.fromkeys(('all', 'answering', 'empty', 'failing', 'slow', 'explained', 'wrong'), 0)
    with gt.Scratch() as scratch, gt.Postgres(scratch) as pg:
        pg.role('gatehouse', 'upstream-secret', 'SUPERUSER')
        with copies.Copies(scratch, pg, seed, USERS, rows_each=20, views=views.Views(rng, [f'u{i}' for i in range(USERS)])) as world:
            for user in world.policies:  # each view as it is, once
                for name in world.views.grants[user]:
                    reads.compare(world, user, f'SELECT * FROM w.{name}', None, count)
            makers = {u: queries.Queries(rng, world.tables(u)) for u in world.policies}
            for i in range(size):
                user = rng.choice(sorted(makers))
                sql, parameters = makers[user].query(parameters=i % 3 == 0)
                reads.compare(world, user, sql, parameters, count)
    print(', '.join(f'{v} {k}' for k, v in count.items()))
    if count['answering'] < count['all'] / 10 or count['failing'] < count['all'] / 20:
        print('not ok the statements are too dull')
        count['wrong'] += 1
    if count['explained'] > count['all'] * 0.08:
        print('not ok too many differences are left to plans')
        count['wrong'] += 1
    print(f'{count["all"] - count["wrong"]} passed, {count["wrong"]} failed')
    sys.exit(count['wrong'] > 0)


if __name__ == '__main__':
    main()
