"""Drivers, query builders and mappers of npm; Prisma."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import ecosystem
import gatehouse_test as gt


class Node(ecosystem.Ecosystem):
    def test_programs(self):
        folder = self.prepare('node', 'npm', ['npm', 'install', '--silent', '--no-audit', '--no-fund', '--ignore-scripts'],
                              ['npx', 'prisma', 'generate', '--schema', 'schema.prisma'])
        for program in ('drivers.js', 'builders.js', 'orms.js', 'prisma.js'):
            self.both(folder, 'node', program)


if __name__ == '__main__':
    gt.main()
