"""tokio-postgres with rustls, sqlx, diesel."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import ecosystem
import gatehouse_test as gt


class Rust(ecosystem.Ecosystem):
    def test_programs(self):
        folder = self.prepare('rust', 'cargo', ['cargo', 'build', '--quiet'])
        # What sqlx::query!() asks while it compiles is EXPLAIN, which is not everybody's.
        self.both(folder, folder / 'target/debug/gatehouse-clients', but=['^sqlx describe .*'])


if __name__ == '__main__':
    gt.main()
