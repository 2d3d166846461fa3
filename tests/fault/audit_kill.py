"""kill -9 under load, again and again: whatever any client got of an answer, its intent is in the audit."""
import json
import random
import re
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse

CLIENTS, ROUNDS = 6, 6


def setUpModule():
    global scratch, certs, pg
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)


def marks_of_intents(folder):
    """Of whole lines: the kill may have cut the last one."""
    lines = [line for segment in sorted(folder.glob('audit-*.jsonl')) for line in segment.read_bytes().split(b'\n')[:-1]]
    texts = [r['sql'] for r in map(json.loads, lines) if r['kind'] == 'intent']
    return set(re.findall(r'mark:([0-9-]+):', ' '.join(texts)))


class Client(threading.Thread):
    """Asks until the proxy is gone; remembers what was answered."""

    def __init__(self, proxy, label):
        super().__init__(daemon=True)
        self.proxy, self.label, self.answered = proxy, label, []

    def run(self):
        try:
            with self.proxy.wire('alice') as c:
                for n in range(1_000_000):
                    mark = f'{self.label}-{n}'
                    if n % 2:
                        c.one(f"SELECT 'mark:{mark}:'")
                    elif c.extended(f"SELECT 'mark:{mark}:', $1::int", [n]).error:
                        return
                    self.answered.append(mark)
        except (OSError, EOFError, gt.ServerError, gt.Closed):
            pass  # killed


class KillNine(unittest.TestCase):
    def check(self, durability):
        rng = random.Random(durability)
        proxy = gt.Gatehouse(scratch, pg, certs, policy=warehouse.POLICY, users=warehouse.USERS,
                             name=f'killed-{durability}', durability=durability)
        proxy.prepare()
        total = 0
        try:
            for round_ in range(ROUNDS):
                proxy.start()
                clients = [Client(proxy, f'{round_}-{i}') for i in range(CLIENTS)]
                for c in clients:
                    c.start()
                gt.wait_for(lambda: sum(len(c.answered) for c in clients) > 20, 20, 'answers under load')
                time.sleep(rng.random() * 0.3)
                proxy.kill()
                for c in clients:
                    c.join(20)
                    self.assertFalse(c.is_alive(), 'a client still waits for a proxy that is gone')
                written = marks_of_intents(proxy.audit_dir)
                answered = {mark for c in clients for mark in c.answered}
                self.assertEqual(answered - written, set(), 'answered without an intent record')
                total += len(answered)
            proxy.start()
            proxy.wire('alice').close()
        finally:
            proxy.stop() if proxy.process else None
        self.assertGreater(gt.check_chain(proxy.audit_dir), total)
        statements = [r['statement'] for r in gt.read_audit(proxy.audit_dir) if r['kind'] == 'intent']
        self.assertEqual(len(statements), len(set(statements)), 'an id came twice')

    def test_write(self):
        self.check('write')

    def test_fsync(self):
        self.check('fsync')


if __name__ == '__main__':
    gt.main()
