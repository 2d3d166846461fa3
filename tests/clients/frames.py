"""Data frames (pandas, polars, ConnectorX, ADBC), pg8000, psycopg 3, and dbt's reads."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import ecosystem
import gatehouse_test as gt


class Frames(ecosystem.Ecosystem):
    def test_frames(self):
        folder, python = self.prepare_python('pandas', 'sqlalchemy', 'psycopg[binary]', 'psycopg2-binary', 'polars', 'connectorx', 'pyarrow',
                                             'adbc-driver-postgresql', 'pg8000')
        self.both(folder, python, 'frames.py')

    def test_dbt(self):
        folder, python = self.prepare_python('dbt-postgres<1.10', 'dbt-core<1.10')
        self.both(folder, python, 'dbt_reads.py', but=['^.*ERROR STALE freshness.*$'])  # with the time of day


if __name__ == '__main__':
    gt.main()
