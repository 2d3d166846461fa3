"""pgx in its five ways to run a query, and lib/pq."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import ecosystem
import gatehouse_test as gt


class Go(ecosystem.Ecosystem):
    def test_programs(self):
        folder = self.prepare('go', 'go', ['go', 'mod', 'tidy'], ['go', 'build', '-o', 'clients', '.'])
        self.both(folder, folder / 'clients')


if __name__ == '__main__':
    gt.main()
