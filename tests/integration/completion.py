"""Completion as people meet it: a real bash and a real zsh on a terminal, keys in, the line out."""
import fcntl
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import termios
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt

POLICY = """\
version: 1
roles:
  analyst: {}
  eu_analyst: { member_of: [analyst] }
users:
  alice: { roles: [eu_analyst] }
  "Bob Smith": { roles: [analyst] }
tags:
  pii: [crm.customers.email]
masks:
  domain: "left(value, 2)"
grants:
  - { to: [analyst], tables: [sales.orders, crm.customers] }
"""

BASH = r"""
PS1='READY> '
bind 'set bell-style none'
bind 'set completion-query-items 0'
bind 'set page-completions off'
source /usr/share/bash-completion/bash_completion
source <(gatehouse completion bash)
show() { printf 'LINE<%s>\n' "$READLINE_LINE"; }
bind -x '"\C-g": show'
"""

ZSH = r"""
PS1='READY> '
unsetopt beep prompt_cr prompt_sp
fpath=($ZDOTDIR/functions $fpath)
autoload -U compinit && compinit -u -D
show() { print -r -- "LINE<$BUFFER>" >/dev/tty }
zle -N show
bindkey '^G' show
"""


def setUpModule():
    global folder
    scratch = unittest.enterModuleContext(gt.Scratch())
    folder = scratch.dir
    (folder / 'bin').mkdir()
    (folder / 'bin' / 'gatehouse').symlink_to(Path(gt.BINARY).resolve())
    (folder / 'policy.yaml').write_text(POLICY)
    (folder / 'bashrc').write_text(BASH)
    (folder / '.zshrc').write_text(ZSH)
    (folder / 'functions').mkdir()
    (folder / 'functions' / '_gatehouse').write_text(gt.run(gt.BINARY, 'completion', 'zsh').stdout)
    gt.run(gt.BINARY, 'policy', 'apply', '--acl', folder / 'acl.db', folder / 'policy.yaml')


class Terminal:
    """A shell that believes to have a terminal."""

    def __init__(self, *argv):
        env = dict(PATH=f'{folder}/bin:/usr/local/bin:/usr/bin:/bin', HOME=str(folder), ZDOTDIR=str(folder),
                   TERM='dumb', LC_ALL='C.UTF-8', GATEHOUSE_ACL=str(folder / 'acl.db'),
                   INPUTRC='/dev/null', HISTFILE='/dev/null', COLUMNS='200', LINES='50')
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, cwd=folder, env=env,
                                        start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.text = ''
        self.expect('READY> ')

    def expect(self, what, seconds=15):
        """Reads until the regular expression matches what came since the last match; returns the match."""
        end = time.monotonic() + seconds * gt.SLOW
        while True:
            match = re.search(what, self.text, re.S)
            if match:
                self.text = self.text[match.end():]
                return match
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise AssertionError(f'no {what!r} in {self.text!r}')
            self.text += os.read(self.master, 65536).decode(errors='replace')

    def complete(self, typed, tabs=1):
        """What the line is after the keys and a tab."""
        os.write(self.master, typed.encode() + b'\t' * tabs)
        os.write(self.master, b'\x07')
        line = self.expect(r'LINE<([^>]*)>').group(1)
        os.write(self.master, b'\x15')  # kills the line
        return line

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


class Shell:
    """What both shells must do; `terminal` is set up by each."""

    def setUp(self):
        self.addCleanup(self.terminal.close)

    def test_the_line(self):
        pairs = (
            ('gatehouse pol', 'gatehouse policy '),
            ('gatehouse policy appl', 'gatehouse policy apply '),
            ('gatehouse user sh', 'gatehouse user show '),
            ('gatehouse user show al', 'gatehouse user show alice '),
            ('gatehouse user show Bob', 'gatehouse user show Bob\\ Smith '),
            ('gatehouse grant sel', 'gatehouse grant select '),
            ('gatehouse grant select,ins', 'gatehouse grant select,insert '),
            ('gatehouse grant select o', 'gatehouse grant select on '),
            ('gatehouse grant select on sal', 'gatehouse grant select on sales.orders '),
            ('gatehouse grant select on sales.orders t', 'gatehouse grant select on sales.orders to '),
            ('gatehouse grant select on sales.orders to user:al',
             'gatehouse grant select on sales.orders to user:alice '),
            ('gatehouse grant select on sales.orders to analyst,eu',
             'gatehouse grant select on sales.orders to analyst,eu_analyst '),
            ('gatehouse grant select on a.b to c --thr', 'gatehouse grant select on a.b to c --through '),
            ('gatehouse grant select on a.b to c --mask email=dom',
             'gatehouse grant select on a.b to c --mask email=domain '),
            ('gatehouse revoke select on sales.orders fr', 'gatehouse revoke select on sales.orders from '),
            ('gatehouse member add alice eu', 'gatehouse member add alice eu_analyst '),
            ('gatehouse tag drop p', 'gatehouse tag drop pii '),
            ('gatehouse grants --user al', 'gatehouse grants --user alice '),
            ('gatehouse policy apply pol', 'gatehouse policy apply policy.yaml '),
            ('gatehouse policy lint --acl acl', 'gatehouse policy lint --acl acl.db '),
            ('gatehouse init func', 'gatehouse init functions/'),
            ('gatehouse completion z', 'gatehouse completion zsh '))
        for typed, line in pairs:
            self.assertEqual(self.terminal.complete(typed).rstrip(), line.rstrip())

    def test_what_is_not_known_stays(self):
        for typed in ('gatehouse nothing', 'gatehouse user show nobody', 'gatehouse grant select on nowhere'):
            self.assertEqual(self.terminal.complete(typed), typed)

    def test_a_list(self):
        os.write(self.terminal.master, b'gatehouse policy \t\t')
        for verb in ('apply', 'export', 'history', 'rollback'):
            self.assertTrue(self.terminal.expect(verb))


class Bash(Shell, unittest.TestCase):
    def setUp(self):
        self.terminal = Terminal('bash', '--rcfile', str(folder / 'bashrc'), '-i')
        super().setUp()


class Zsh(Shell, unittest.TestCase):
    def setUp(self):
        if shutil.which('zsh') is None:
            self.skipTest('zsh is not installed')
        self.terminal = Terminal('zsh', '-i')
        super().setUp()


class Words(unittest.TestCase):
    """The program's own answer, for every command that --help lists."""

    def complete(self, *words):
        return [l.split('\t')[0] for l in gt.run(gt.BINARY, 'complete', *words, check=False).stdout.splitlines()]

    def test_every_command_and_option_of_the_help(self):
        listed = re.findall(r'^  ([a-z][a-z-]*(?: [a-z-]+)?)', gt.run(gt.BINARY, '--help').stdout, re.M)
        firsts = set(self.complete(''))
        seen = 0
        for command in listed:
            words = command.split()
            with self.subTest(command=command):
                self.assertIn(words[0], firsts)
                text = gt.run(gt.BINARY, *words, '--help', check=False)
                if text.returncode != 0:
                    words = words[:1]  # the second word was an argument's
                    text = gt.run(gt.BINARY, *words, '--help')
                offered = set(self.complete(*words, '--'))
                self.assertEqual(offered, set(re.findall(r'^  (--[a-z-]+)', text.stdout, re.M)))
                self.assertIn('Example:\n  ', text.stdout)
                seen += 1
        self.assertGreater(seen, 35)

    def test_nothing_breaks_it(self):
        for words in ((), ('',), ('nothing', ''), ('policy', 'nothing', ''), ('user', 'show', 'x', 'y', ''),
                      ('grants', '--user', ''), ('grants', '--nothing', ''), ('--', ''), ('grant', '--', '-x', ''),
                      ('grants', '--acl', '/nowhere', '--user', ''), ('revoke', '\x01', ''), ('who', '=')):
            done = gt.run(gt.BINARY, 'complete', *words, check=False)
            self.assertIn(done.returncode, (0, 2), words)


if __name__ == '__main__':
    gt.main()
