"""Spark by JDBC."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import ecosystem
import gatehouse_test as gt


class Spark(ecosystem.Ecosystem):
    def test_programs(self):
        jar = Path('/usr/share/java/postgresql.jar')
        if not jar.exists():
            self.skipTest('no JDBC driver')
        folder, python = self.prepare_python('pyspark')
        self.both(folder, python, 'spark.py', jar, but=['^[0-9/]+ [0-9:]+ WARN .*$'])


if __name__ == '__main__':
    gt.main()
