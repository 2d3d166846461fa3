"""Runs a corpus of attacks that stands beside the checkout (CORPUS/run.py --gatehouse BIN --tls) and sums it.
A leak fails. Legitimate queries that are still refused may be no more than tests/attack/corpus.ceiling says."""
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

corpus = Path(sys.argv[1])
root = Path(__file__).resolve().parents[2]
binary = os.environ.get('GATEHOUSE', str(root / 'build' / 'gatehouse'))
ceiling = int(Path(__file__).with_name('corpus.ceiling').read_text().split('#')[0])
with tempfile.NamedTemporaryFile(suffix='.json') as out:
    done = subprocess.run([sys.executable, str(corpus / 'run.py'), '--gatehouse', binary, '--tls', '--json', out.name],
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=850)
    print(done.stdout)
    try:
        result = json.load(open(out.name))
    except ValueError:
        print('not ok the corpus did not run to its end')
        print('0 passed, 1 failed')
        sys.exit(1)
total, leaks, refused = len(result['all']), len(result['leaks']), len(result['benign_failures'])
died = 'THE PROXY DIED' in done.stdout
print(f'{leaks} leaks; {refused} legitimate queries fail (ceiling {ceiling})')
for leak in result['leaks']:
    print(f"not ok {leak['id']}: {leak['detail'][:300]}")
failed = leaks + died + (refused > ceiling)
if refused > ceiling:
    print(f'not ok {refused} legitimate queries fail, more than {ceiling}')
print(f'{total - leaks - refused} passed, {failed} failed, {min(refused, ceiling)} skipped')
if refused:
    print(f'skip {refused} legitimate queries are refused as yet; tests/attack/corpus.ceiling is only ever lowered')
sys.exit(failed > 0)
