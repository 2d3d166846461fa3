"""What dbt asks of a warehouse that it may only read: its tests, its docs, its previews."""
import json
import os
import tempfile
from pathlib import Path

from dbt.cli.main import dbtRunner

from steps import step

PROJECT = Path(__file__).with_name('dbt')
os.environ['DBT_SEND_ANONYMOUS_USAGE_STATS'] = 'false'
target = tempfile.TemporaryDirectory()
where = ['--project-dir', str(PROJECT), '--profiles-dir', str(PROJECT), '--target-path', target.name, '--log-path', target.name]


def run(*argv):
    done = dbtRunner().invoke([*argv, '--quiet', *where])
    results = getattr(done.result, 'results', None) or []
    return done.exception or [(r.node.name, str(r.status), getattr(r, 'failures', None)) for r in sorted(results, key=lambda r: r.node.name)]


def catalog():
    done = run('docs', 'generate', '--no-compile')
    found = json.loads(Path(target.name, 'catalog.json').read_text())['sources']
    return [(name, [(c, x['type']) for c, x in t['columns'].items() if not c.startswith('zz')]) for name, t in sorted(found.items())] or done


step('compile', lambda: run('compile'))
step('test', lambda: run('test'))
step('freshness', lambda: [r[:2] for r in run('source', 'freshness')])
step('docs', catalog)
step('show', lambda: [list(map(str, r.agate_table.rows)) for r in dbtRunner().invoke(['show', '-s', 'totals', '--quiet', *where]).result.results])
step('inline', lambda: [list(map(str, r.agate_table.rows)) for r in dbtRunner().invoke(
    ['show', '--inline', "select max(id) from {{ source('shop', 'orders') }}", '--quiet', *where]).result.results])
step('list', lambda: sorted(map(str, dbtRunner().invoke(['list', '--quiet', *where]).result)))
print('done')
