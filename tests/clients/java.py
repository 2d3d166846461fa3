"""pgJDBC in its modes; Vert.x and R2DBC."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import ecosystem
import gatehouse_test as gt


class Java(ecosystem.Ecosystem):
    def test_programs(self):
        folder = self.prepare('java', 'mvn', ['mvn', '-q', '-B', 'compile', 'dependency:copy-dependencies', '-DoutputDirectory=target/lib'])
        for program in ('Jdbc', 'Reactive'):
            self.both(folder, 'java', '-Xmx300m', '-cp', 'target/classes:target/lib/*', program)


if __name__ == '__main__':
    gt.main()
