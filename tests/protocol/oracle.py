"""The same bytes to Gatehouse and to PostgreSQL: every message of the protocol in every state, well formed and not.

Compared are the kinds of the messages that come back, severity and SQLSTATE of errors, the transaction status, and whether the
connection ends. What differs on purpose stands in `DIFFERS`, each with its reason.
"""
import socket
import struct
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lib'))
import gatehouse_test as gt
import warehouse

POLICY = warehouse.POLICY.replace('''    tables: ["*.*"]
denies:''', '''    tables: ["*.*"]
    privileges: [select, insert]
denies:''')


def setUpModule():
    global scratch, certs, pg, proxy
    scratch, certs, pg = gt.module_fixture()
    warehouse.load(pg)
    pg.sql('CREATE TABLE sales.inbox (id integer, note text); GRANT ALL ON sales.inbox TO gatehouse; '
           "CREATE ROLE erin LOGIN SUPERUSER PASSWORD 'erin-password'", 'wh')
    proxy = unittest.enterModuleContext(
        gt.Gatehouse(scratch, pg, certs, policy=POLICY, users=warehouse.USERS, tls='prefer'))


def connect(port):
    return gt.Wire(port, 'erin', 'wh', 'erin-password', tls='disable')


FAIL = gt.bind_message(statement='no such')
# How to get there: messages, and the kind of the answer's last message.
STATES = {
    'idle': [],
    'transaction': [(gt.query_message('BEGIN'), 'Z')],
    'failed transaction': [(gt.query_message('BEGIN'), 'Z'), (gt.query_message('SELECT 1/0'), 'Z')],
    'pipeline': [(gt.parse_message('SELECT 1') + gt.bind_message() + gt.FLUSH, '2')],
    'skipping': [(FAIL + gt.FLUSH, 'E')],
    'skipping in a transaction': [(gt.query_message('BEGIN'), 'Z'), (FAIL + gt.FLUSH, 'E')],
    'copy in': [(gt.query_message('COPY sales.inbox FROM STDIN'), 'G')],
    'copy in, extended': [(gt.parse_message('COPY sales.inbox FROM STDIN') + gt.bind_message() + gt.execute_message() + gt.FLUSH, 'G')],
    'suspended': [(gt.query_message('BEGIN'), 'Z'),
                  (gt.parse_message('SELECT generate_series(1, 5)', 's') + gt.bind_message(portal='p', statement='s') +
                   gt.execute_message('p', 2) + gt.FLUSH, 's')],
}
FUNCTION = struct.pack('!IHHIIH', 1598, 0, 1, 4, 0, 0)
WHOLE = {
    'Query': gt.query_message('SELECT 1'),
    'Query, empty': gt.query_message(''),
    'Query, broken': gt.query_message('SELEC'),
    'Query, several': gt.query_message('SELECT 1; SELECT 1/0; SELECT 2'),
    'Parse': gt.parse_message('SELECT 2', 'n'),
    'Parse, unnamed': gt.parse_message('SELECT 2'),
    'Parse, broken': gt.parse_message('SELEC'),
    'Parse, empty': gt.parse_message(''),
    'Parse, two': gt.parse_message('SELECT 1; SELECT 2'),
    'Parse, unknown type': gt.parse_message('SELECT $1', '', (999999,)),
    'Bind': gt.bind_message(),
    'Bind, none such': gt.bind_message(statement='none'),
    'Bind, parameters': gt.bind_message(['1', '2']),
    'Describe portal': gt.describe_message('P'),
    'Describe statement': gt.describe_message('S'),
    'Describe none': gt.describe_message('S', 'none'),
    'Describe, bad kind': gt.message('D', b'X\0'),
    'Execute': gt.execute_message(),
    'Execute none': gt.execute_message('none'),
    'Execute p': gt.execute_message('p', 2),
    'Close statement': gt.close_message('S', 's'),
    'Close portal': gt.close_message('P', 'p'),
    'Close none': gt.close_message('S', 'none'),
    'Close, bad kind': gt.message('C', b'X\0'),
    'Flush': gt.FLUSH,
    'Sync': gt.SYNC,
    'CopyData': gt.message('d', b'7\tseven\n'),
    'CopyData, broken': gt.message('d', b'x\n'),
    'CopyDone': gt.COPY_DONE,
    'CopyFail': gt.message('f', b'because\0'),
    'CopyFail, unterminated': gt.message('f', b'because'),
    'FunctionCall': gt.message('F', FUNCTION),
    'Terminate': gt.TERMINATE,
    'password': gt.message('p', b'secret\0'),
    'Query, unterminated': gt.message('Q', b'SELECT 1'),
    'Query, bytes behind': gt.message('Q', b'SELECT 1\0x'),
    'Query, no body': gt.message('Q', b''),
    'Parse, cut': gt.message('P', b'a\0SELECT 1\0'),
    'Parse, bytes behind': gt.message('P', b'\0SELECT 1\0\0\0x'),
    'Parse, count too large': gt.message('P', b'\0SELECT 1\0\xff\xff'),
    'Bind, cut': gt.message('B', b'\0\0\0'),
    'Bind, value beyond': gt.message('B', b'\0\0' + struct.pack('!HHi', 0, 1, 1000)),
    'Bind, negative length': gt.message('B', b'\0\0' + struct.pack('!HHiH', 0, 1, -5, 0)),
    'Bind, formats do not match': gt.message('B', b'\0\0' + struct.pack('!HHHHH', 2, 0, 0, 0, 0)),
    'Describe, cut': gt.message('D', b'S'),
    'Describe, no body': gt.message('D', b''),
    'Execute, cut': gt.message('E', b'\0\0'),
    'Close, cut': gt.message('C', b'S'),
    'Sync, with a body': gt.message('S', b'xx'),
    'Flush, with a body': gt.message('H', b'xx'),
}
LENGTHS = (0, 3, 2**31 - 1, 2**32 - 1)
# (state, message) -> why. A star stands for any.
DIFFERS = {
    ('*', 'Parse, unknown type'): 'a type that is hidden and one that is absent answer alike, 42704',
    ('*', 'FunctionCall'): 'refused: 42501 (THREATS 1)',
}
def normal(kind, body):
    if kind == 'E':
        fields = gt.error_fields(body)
        return f"E{fields['S']} {fields['C']}"
    return kind + (body.decode() if kind == 'Z' else '')


# Gets out of every state, to an answer that nothing else gives.
LEAVE = (gt.message('f', b'end\0') + gt.SYNC + gt.query_message('SELECT 42') + gt.query_message('ROLLBACK') + gt.query_message('SELECT 43'))


class SameBytes(unittest.TestCase):
    maxDiff = None

    def compare(self, state, name, data):
        ask = data + LEAVE
        with self.subTest(state=state, message=name):
            direct, through = self.ask(pg.port, state, ask), self.ask(proxy.port, state, ask)
            if (state, name) in DIFFERS or ('*', name) in DIFFERS:
                self.assertEqual(through[-1], direct[-1])
            else:
                self.assertEqual(through, direct)

    def ask(self, port, state, data):
        c = connect(port)
        out = []
        try:
            for messages, last in STATES[state]:
                c.send(messages)
                while c.receive()[0] != last:
                    pass
            c.socket.settimeout(10 * gt.SLOW)
            c.send(data)
            while True:
                kind, body = c.receive()
                if kind not in 'NS':
                    out.append(normal(kind, body))
                if kind == 'D' and gt.data_row(body, None) == ['43']:
                    return out
        except TimeoutError:
            return out + ['silence']
        except (gt.Closed, OSError):
            return out + ['closed']
        finally:
            c.close()

    def test_every_message_in_every_state(self):
        for state in STATES:
            for name, data in WHOLE.items():
                self.compare(state, name, data)

    def test_unknown_types_in_every_state(self):
        known = set(b'QPBEDCHSFdcfXp')
        for state in STATES:
            for kind in (0, 1, ord('a'), ord('R'), ord('Z'), ord('T'), ord('W'), ord('v'), ord('1'), 127, 128, 255):
                if kind not in known:
                    self.compare(state, f'type {kind}', bytes([kind]) + struct.pack('!I', 4))

    def test_lengths_in_every_state(self):
        """PostgreSQL hangs up, in COPY after an ERROR; Gatehouse says why first."""
        for state in STATES:
            for kind in 'QPBEDCHSFdcfX' if state in ('idle', 'copy in') else 'QSd':
                for length in LENGTHS:
                    with self.subTest(state=state, kind=kind, length=length):
                        data = kind.encode() + struct.pack('!I', length)
                        direct, through = self.ask(pg.port, state, data), self.ask(proxy.port, state, data)
                        self.assertEqual(direct[-1], 'closed')
                        self.assertEqual(through, ['EERROR 08P01'] * state.startswith('copy') + ['EFATAL 08P01', 'closed'])


if __name__ == '__main__':
    gt.main()
