"""Writes the corpora that the fuzzers start from: seeds.py FOLDER. Statements of tests/attack/cases and, where a run of tests/differential/regress.py
has fetched it, of PostgreSQL's own suite; policies and configs of the docs and packages."""
import re
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / 'build' / 'regress-source' / 'regress' / 'sql'
OWN = """merge into ops.tickets t using shop.regions r on t.region = r.region when not matched then insert (id, title) values (1, r.title)
merge into shop.mixed t using (values (1, 'EU'), (2, 'US')) v (id, r) on t.id = v.id when matched and t.a > 1 then update set a = v.id + 1 when not matched then insert (id, a) values (v.id, 3)
merge into ops.tickets as t using (select id, region from shop.orders where amount > 5) o on t.id = o.id when matched then delete
with o as (select * from shop.orders) merge into only ops.tickets t using o on t.id = o.id and o.region = 'EU' when matched then do nothing when not matched and o.id > 3 then insert values (o.id, o.region)
merge into ops.tickets t using shop.regions r join shop.orders o on o.region = r.region on t.region = r.region when matched then update set (title, body) = (r.title, 'x') when matched then update set region = coalesce(r.region, upper('eu'))
prepare m (text) as merge into ops.tickets t using (select 1 as id) s on t.id = s.id when matched then update set region = $1 when not matched then insert (id, region) values (s.id, case when $1 = 'EU' then 'EU' else 'US' end)
insert into ops.tickets (id, region) values (1, 'EU') on conflict (id) do update set title = excluded.title where tickets.id > 1 returning *
update ops.tickets set (title, body) = (select title, 'x' from shop.regions limit 1) where id = 1 returning id, title
delete from ops.tickets t using shop.regions r where t.region = r.region and r.title like 'a%' returning t.*
with recursive n as (select 1 as i union all select i + 1 from n where i < 5) select * from n join shop.orders o on o.id = n.i
select o.region, count(*) filter (where o.amount > 5), sum(amount) over (partition by region order by id) from orders o group by grouping sets ((region), ()) having max(id) > 3
select * from shop.mixed m left join orders o using (id) where m.a is null and o.note like 'x%' order by 1 limit 5 offset 2
select email, o.id, note from orders o where o.id = 5 and note like 'a%'
select distinct m.id, m.a as x, m.c, o.email mail from shop.mixed m join shop.orders o on o.id = m.id where m.id < 5 order by 2, 1
select id, row_to_json(o), o::text from orders o where id in (select id from ops.tickets where body = 'x') for update
select r.* from shop.regions r, shop.regions s where r.region = s.region for share of r nowait for update of s
copy (select id from orders) to stdout with (format csv)
declare c scroll cursor with hold for select * from shop.mixed
prepare p (int) as select note from orders where id = $1 and amount / 2 > 1
explain (costs off) select * from orders natural join regions
select region, title from regions where region = 'EU' and title between 'a' and 'b' or region = any ('{a,b}'::text[])
values (1, 'a'), (2, 'b')
table only shop.orders
update ops.tickets t set title = 'x' where id = 1 returning (t.*), ((t.*)), row_to_json(t), t
select o.id, o.region from shop.orders o left join shop.regions r on r.region = o.region where o.note like 'a%' group by o.id, 2
select id from orders where substring(note from -0 for 7) = 'x' and amount / -7 < -0.5 and amount::float(7) > 1
select case when region = 'EU' then 1 else 2 end, coalesce(note, 'x'), cast(amount as int) from orders where region similar to 'E%' and id is distinct from 3
"""


def attack():
    for path in sorted((ROOT / 'tests' / 'attack' / 'cases').glob('*.txt')):
        for line in path.read_text().splitlines():
            match = re.match(r'e?(?:safe|deny|allow) (?:[0-9][0-9A-Z]{4} )?(.*?)(?: => [\[{].*)?$', line)
            if match:
                yield from match[1].split(' ;; ')


def suite():
    for path in sorted(SUITE.glob('*.sql')) if SUITE.is_dir() else ():
        text = re.sub(r'(?m)^\\.*$|--.*$', '', path.read_text(errors='replace'))
        for sql in text.split(';'):
            sql = sql.strip()
            if re.match(r'(?i)(select|with|insert|update|delete|merge|values|table|copy|\()', sql) and len(sql) < 1500:
                yield sql


def write(folder, items):
    folder.mkdir(parents=True, exist_ok=True)
    for i, item in enumerate(items):
        (folder / f'{i:05}').write_bytes(item if isinstance(item, bytes) else item.encode())


def main():
    out = Path(sys.argv[1])
    sql = [s for s in OWN.splitlines() if s] + list(dict.fromkeys(attack()))
    more = list(dict.fromkeys(suite()))
    write(out / 'rewrite', sql + more[::3])
    write(out / 'template', [b'\0' + s.encode() for s in sql] + [b'\x01' + s.encode() for s in more[::3]])
    yaml = [p.read_bytes() for p in sorted(ROOT.glob('policies/**/*.yaml'))]
    readme = re.findall(r"(?s)<<-?'?YAML'?\n(.*?)\nYAML", (ROOT / 'README.md').read_text())
    guide = re.findall(r'(?s)```yaml\n(.*?)```', (ROOT / 'docs' / 'policy-guide.md').read_text())
    texts = [t.encode() for t in readme + guide] + yaml
    json = [b'{"a":[1,2,{"b":null}],"c":"\\u0041\\n","d":-1.5e3,"e":true}', b'[]', b'"x"']
    small = [b'round(10)', b'partial(2,1)', b"constant('x')", b'email', b'4h', b'2026-01-01', b'1e6', b'16MiB', b"region = attr('region')", b"lower(value) || 'x'"]
    write(out / 'text', [bytes([k]) + t for t in texts for k in (0, 1)] + [b'\2' + j for j in json] + [b'\3' + s for s in small])
    bodies = [b'select 1\0', b'p\0select $1\0\0\1\0\0\0\x17', b'\0p\0\0\0\0\1\0\0\0\1x\0\0', b'Sp\0', b'\0\0\0\0\5', b'SCRAM-SHA-256\0\0\0\0\6n,,n=,', b'',
              struct.pack('!I', 196608) + b'user\0alice\0database\0wh\0options\0-c a=b\0\0', b'-c search_path=a\\ b --x=y', b'SERROR\0C42601\0Mno\0\0',
              b'\0\1a\0\0\0\0\0\0\0\0\0\0\x17\0\4\0\0\0\0\0\0', b'\0\2\0\0\0\1x\xff\xff\xff\xff', b'I', b'SELECT 5\0']
    write(out / 'wire', [bytes([k]) + b for b in bodies for k in (*range(16), *range(0x80, 0x8d))])
    first = b'SCRAM-SHA-256\0' + struct.pack('!I', 32) + b'n,,n=,r=rOprNGfwEbeRWgbNEkqO1234'
    final = b'c=biws,r=rOprNGfwEbeRWgbNEkqO1234AQIDAAAAAAAAAAAAAAAAAAAAAAAA,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ='
    known = b'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU='
    write(out / 'scram', [bytes([k, len(first)]) + first + final for k in (0, 2, 4, 6)] + [b'\1\0' + known])


main()
