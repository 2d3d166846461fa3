"""Programs of a whole ecosystem (tests/clients/rust, go, node, java, python), run as a governed user (a row filter, masks,
hidden columns) and straight at a copy that holds only what that user may see: both must print the same. And as a user
who may bypass, and straight at the warehouse. Dependencies come from the registries, so this is for long tests
(GH_LONG=1); what cannot be fetched or built is skipped, and the reason said.

    GH_CLIENTS_CACHE=DIR keeps what was fetched and built for the next run (default: build/clients)
"""
import difflib
import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

import client_world
import gatehouse_test as gt

CLIENTS = gt.ROOT / 'tests' / 'clients'
CACHE = Path(os.environ.get('GH_CLIENTS_CACHE', gt.ROOT / 'build' / 'clients'))


@unittest.skipUnless(os.environ.get('GH_LONG') == '1', 'long: needs GH_LONG=1')
class Ecosystem(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(client_world.World(cls.enterClassContext(gt.Scratch())))

    def prepare(self, name, program, *commands):
        """A copy of the folder with its dependencies."""
        if not shutil.which(program):
            self.skipTest(f'no {program}')
        folder = CACHE / name
        shutil.copytree(CLIENTS / name, folder, dirs_exist_ok=True)
        for command in commands:
            done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1500,
                                  env=os.environ | {'PRISMA_SCHEMA_ENGINE_BINARY': '/bin/true'})  # there is none to fetch
            if done.returncode != 0:
                self.skipTest(f"{' '.join(command[:3])}: {(done.stdout.strip().splitlines() or ['failed'])[-1][:200]}")
        return folder

    def lines(self, folder, env, command):
        done = subprocess.run([str(a) for a in command], cwd=folder, env=env | {'LC_ALL': 'C.UTF-8', 'TZ': 'UTC'}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=400 * gt.SLOW, text=True)
        return done.stdout.splitlines()

    def both(self, folder, *command, but=()):
        """`but`: what the two are allowed to differ by, as patterns of which nothing is left."""
        direct = self.world.copied() | {'PGPORT': str(self.world.pg.port), 'PGUSER': 'gatehouse', 'PGPASSWORD': 'upstream-secret'}
        for user, wanted_from in (('gov', self.world.copied()), ('through', direct)):
            with self.subTest(' '.join(map(str, command))[-40:], user=user):
                seen, wanted = ([re.sub('|'.join(but) or '$^', '', line) for line in self.lines(folder, env, command)]
                                for env in (self.world.proxied(user), wanted_from))
                self.assertEqual(wanted[-1:], ['done'], '\n'.join(wanted[-15:]))
                self.assertGreater(len(wanted), 8)
                difference = list(difflib.unified_diff(wanted, seen, 'straight', 'the proxy', lineterm='', n=0))
                self.assertEqual(difference, [], '\n'.join(difference[:40]))

    def prepare_python(self, *packages):
        """A virtual environment for these packages alone; returns its Python, too."""
        venv = 'venv-' + re.split('[^a-z0-9-]', packages[0])[0]
        folder = self.prepare('python', 'python3', ['python3', '-m', 'venv', venv], [f'{venv}/bin/python', '-m', 'pip', 'install', '-q', *packages])
        return folder, f'{venv}/bin/python'
