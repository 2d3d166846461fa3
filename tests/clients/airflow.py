"""Airflow's PostgreSQL hook."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import ecosystem
import gatehouse_test as gt


class Airflow(ecosystem.Ecosystem):
    def test_programs(self):
        folder, python = self.prepare_python('apache-airflow-providers-postgres', 'pandas')
        self.both(folder, python, 'airflow_hook.py', but=[r'^\d{4}-\d\d-\d\dT.*$'])  # its log


if __name__ == '__main__':
    gt.main()
