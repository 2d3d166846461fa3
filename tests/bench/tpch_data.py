"""TPC-H's schema, data and queries, made here: after the benchmark's definition, with a random generator of our own, so the
figures are no TPC-H results. The same scale and seed give the same bytes.

    tables(0.01)          (name, lines of COPY text) of each table; scale 1 is 6 million rows of lineitem
    queries(0.01)         the 22 texts by number, their parameters drawn from the ranges that TPC-H names
"""
import datetime
import random

SCHEMA = """
CREATE TABLE region (r_regionkey int PRIMARY KEY, r_name char(25) NOT NULL, r_comment varchar(152));
CREATE TABLE nation (n_nationkey int PRIMARY KEY, n_name char(25) NOT NULL, n_regionkey int NOT NULL, n_comment varchar(152));
CREATE TABLE supplier (s_suppkey int PRIMARY KEY, s_name char(25) NOT NULL, s_address varchar(40) NOT NULL, s_nationkey int NOT NULL,
    s_phone char(15) NOT NULL, s_acctbal numeric(15,2) NOT NULL, s_comment varchar(101) NOT NULL);
CREATE TABLE part (p_partkey int PRIMARY KEY, p_name varchar(55) NOT NULL, p_mfgr char(25) NOT NULL, p_brand char(10) NOT NULL,
    p_type varchar(25) NOT NULL, p_size int NOT NULL, p_container char(10) NOT NULL, p_retailprice numeric(15,2) NOT NULL,
    p_comment varchar(23) NOT NULL);
CREATE TABLE partsupp (ps_partkey int NOT NULL, ps_suppkey int NOT NULL, ps_availqty int NOT NULL, ps_supplycost numeric(15,2) NOT NULL,
    ps_comment varchar(199) NOT NULL, PRIMARY KEY (ps_partkey, ps_suppkey));
CREATE TABLE customer (c_custkey int PRIMARY KEY, c_name varchar(25) NOT NULL, c_address varchar(40) NOT NULL, c_nationkey int NOT NULL,
    c_phone char(15) NOT NULL, c_acctbal numeric(15,2) NOT NULL, c_mktsegment char(10) NOT NULL, c_comment varchar(117) NOT NULL);
CREATE TABLE orders (o_orderkey bigint PRIMARY KEY, o_custkey int NOT NULL, o_orderstatus char(1) NOT NULL,
    o_totalprice numeric(15,2) NOT NULL, o_orderdate date NOT NULL, o_orderpriority char(15) NOT NULL, o_clerk char(15) NOT NULL,
    o_shippriority int NOT NULL, o_comment varchar(79) NOT NULL);
CREATE TABLE lineitem (l_orderkey bigint NOT NULL, l_partkey int NOT NULL, l_suppkey int NOT NULL, l_linenumber int NOT NULL,
    l_quantity numeric(15,2) NOT NULL, l_extendedprice numeric(15,2) NOT NULL, l_discount numeric(15,2) NOT NULL, l_tax numeric(15,2) NOT NULL,
    l_returnflag char(1) NOT NULL, l_linestatus char(1) NOT NULL, l_shipdate date NOT NULL, l_commitdate date NOT NULL,
    l_receiptdate date NOT NULL, l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL, l_comment varchar(44) NOT NULL,
    PRIMARY KEY (l_orderkey, l_linenumber));
"""
INDEXES = """
CREATE INDEX ON nation (n_regionkey); CREATE INDEX ON supplier (s_nationkey); CREATE INDEX ON partsupp (ps_suppkey);
CREATE INDEX ON customer (c_nationkey); CREATE INDEX ON orders (o_custkey); CREATE INDEX ON orders (o_orderdate);
CREATE INDEX ON lineitem (l_partkey, l_suppkey); CREATE INDEX ON lineitem (l_suppkey); CREATE INDEX ON lineitem (l_shipdate);
"""
NAMES = ['region', 'nation', 'supplier', 'part', 'partsupp', 'customer', 'orders', 'lineitem']

REGIONS = ['AFRICA', 'AMERICA', 'ASIA', 'EUROPE', 'MIDDLE EAST']
NATIONS = [('ALGERIA', 0), ('ARGENTINA', 1), ('BRAZIL', 1), ('CANADA', 1), ('EGYPT', 4), ('ETHIOPIA', 0), ('FRANCE', 3), ('GERMANY', 3), ('INDIA', 2),
           ('INDONESIA', 2), ('IRAN', 4), ('IRAQ', 4), ('JAPAN', 2), ('JORDAN', 4), ('KENYA', 0), ('MOROCCO', 0), ('MOZAMBIQUE', 0), ('PERU', 1),
           ('CHINA', 2), ('ROMANIA', 3), ('SAUDI ARABIA', 4), ('VIETNAM', 2), ('RUSSIA', 3), ('UNITED KINGDOM', 3), ('UNITED STATES', 1)]
COLOURS = ('almond antique aquamarine azure beige bisque black blanched blue blush brown burlywood chartreuse chiffon chocolate coral cornflower cream '
           'cyan dark deep dim dodger drab firebrick floral forest frosted gainsboro ghost goldenrod green grey honeydew hot indian ivory khaki lace '
           'lavender lawn lemon light lime linen magenta maroon medium metallic midnight mint misty moccasin navajo navy olive orange orchid pale').split()
TYPES = (['STANDARD', 'SMALL', 'MEDIUM', 'LARGE', 'ECONOMY', 'PROMO'], ['ANODIZED', 'BURNISHED', 'PLATED', 'POLISHED', 'BRUSHED'],
         ['TIN', 'NICKEL', 'BRASS', 'STEEL', 'COPPER'])
CONTAINERS = (['SM', 'LG', 'MED', 'JUMBO', 'WRAP'], ['CASE', 'BOX', 'BAG', 'JAR', 'PKG', 'PACK', 'CAN', 'DRUM'])
SEGMENTS = ['AUTOMOBILE', 'BUILDING', 'FURNITURE', 'MACHINERY', 'HOUSEHOLD']
PRIORITIES = ['1-URGENT', '2-HIGH', '3-MEDIUM', '4-NOT SPECIFIED', '5-LOW']
INSTRUCTIONS = ['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN']
MODES = ['REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB']
WORDS = ('special pending unusual express furious sly careful blithe quick fluffy slow quiet ruthless thin close dogged daring packages requests '
         'accounts deposits foxes ideas theodolites pinto beans instructions dependencies excuses platelets asymptotes courts dolphins').split()
FIRST, LAST, NOW = (datetime.date(*d) for d in ((1992, 1, 1), (1998, 8, 2), (1995, 6, 17)))


def sizes(scale):
    return {n: max(least, int(scale * full)) for n, full, least in
            (('supplier', 10_000, 10), ('part', 200_000, 40), ('customer', 150_000, 30), ('orders', 1_500_000, 300))}


class _Maker:
    def __init__(self, scale, seed):
        self.n = sizes(scale)
        self.rng = random.Random(seed)
        self.comments = [' '.join(self.rng.choice(WORDS) for _ in range(self.rng.randint(3, 6)))[:40] for _ in range(997)]
        self.days = [(FIRST + datetime.timedelta(d)).isoformat() for d in range((LAST - FIRST).days + 200)]
        self.now = (NOW - FIRST).days

    def comment(self):
        return self.comments[int(self.rng.random() * 997)]

    def phone(self, nation):
        r = self.rng.randrange
        return f'{nation + 10}-{r(100, 1000)}-{r(100, 1000)}-{r(1000, 10000)}'

    def money(self, low, high):
        return f'{self.rng.randint(low, high) / 100:.2f}'

    def supplier_of(self, part, i):
        """The four suppliers of a part, as TPC-H spreads them; where there are few, so that they stay four."""
        s = self.n['supplier']
        return (part + i * (s // 4 + min((part - 1) // s, (s - 1) // 3 - s // 4))) % s + 1

    def region(self):
        for i, name in enumerate(REGIONS):
            yield f'{i}\t{name}\t{self.comment()}\n'

    def nation(self):
        for i, (name, region) in enumerate(NATIONS):
            yield f'{i}\t{name}\t{region}\t{self.comment()}\n'

    def supplier(self):
        for i in range(1, self.n['supplier'] + 1):
            nation = self.rng.randrange(25)
            comment = 'Customer recommends Complaints' if i % 200 == 7 else self.comment()
            yield f'{i}\tSupplier#{i:09}\taddress {i}\t{nation}\t{self.phone(nation)}\t{self.money(-99999, 999999)}\t{comment}\n'

    def part(self):
        r = self.rng
        for i in range(1, self.n['part'] + 1):
            m = r.randint(1, 5)
            kind, box = (' '.join(r.choice(w) for w in words) for words in (TYPES, CONTAINERS))
            yield (f'{i}\t{" ".join(r.sample(COLOURS, 5))}\tManufacturer#{m}\tBrand#{m}{r.randint(1, 5)}\t{kind}\t{r.randint(1, 50)}\t{box}\t'
                   f'{self.price(i):.2f}\t{self.comment()[:23]}\n')

    @staticmethod
    def price(part):
        return (90000 + part // 10 % 20001 + 100 * (part % 1000)) / 100

    def partsupp(self):
        for i in range(1, self.n['part'] + 1):
            for k in range(4):
                yield f'{i}\t{self.supplier_of(i, k)}\t{self.rng.randint(1, 9999)}\t{self.money(100, 100000)}\t{self.comment()}\n'

    def customer(self):
        for i in range(1, self.n['customer'] + 1):
            nation = self.rng.randrange(25)
            yield (f'{i}\tCustomer#{i:09}\taddress {i}\t{nation}\t{self.phone(nation)}\t{self.money(-99999, 999999)}\t{self.rng.choice(SEGMENTS)}\t'
                   f'{self.comment()}\n')

    def orders(self):
        """Orders, and in self.items the lines of each: both tables come of the same draws."""
        random_, n, items = self.rng.random, self.n, []
        pick = lambda words: words[int(random_() * len(words))]
        for i in range(1, n['orders'] + 1):
            key = (i - 1) // 8 * 32 + (i - 1) % 8 + 1
            customer = 1 + int(random_() * n['customer'])
            customer -= customer % 3 == 0  # a third never orders
            day = int(random_() * (len(self.days) - 200 - 151))
            total, open_ = 0, 0
            count = 1 + int(random_() * 7)
            for line in range(1, count + 1):
                part = 1 + int(random_() * n['part'])
                quantity = 1 + int(random_() * 50)
                price = self.price(part) * quantity
                ship = day + 1 + int(random_() * 121)
                receipt = ship + 1 + int(random_() * 30)
                open_ += ship > self.now
                total += price
                items.append(f'{key}\t{part}\t{self.supplier_of(part, int(random_() * 4))}\t{line}\t{quantity}\t{price:.2f}\t0.0{int(random_() * 10)}\t'
                             f'0.0{int(random_() * 9)}\t{"N" if receipt > self.now else pick("RA")}\t{"O" if ship > self.now else "F"}\t{self.days[ship]}\t'
                             f'{self.days[day + 30 + int(random_() * 61)]}\t{self.days[receipt]}\t{pick(INSTRUCTIONS)}\t{pick(MODES)}\t{self.comment()}\n')
            status = 'F' if open_ == 0 else 'O' if open_ == count else 'P'
            yield (f'{key}\t{max(customer, 1)}\t{status}\t{total:.2f}\t{self.days[day]}\t{pick(PRIORITIES)}\tClerk#{1 + int(random_() * 999):09}\t0\t'
                   f'{self.comment()}\n')
        self.items = items

    def lineitem(self):
        return self.items


def tables(scale, seed=19):
    """In NAMES' order; each must be read before the next."""
    maker = _Maker(scale, seed)
    for name in NAMES:
        yield name, getattr(maker, name)()


QUERIES = {
    1: """select l_returnflag, l_linestatus, sum(l_quantity) as sum_qty, sum(l_extendedprice) as sum_base_price,
 sum(l_extendedprice * (1 - l_discount)) as sum_disc_price, sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) as sum_charge,
 avg(l_quantity) as avg_qty, avg(l_extendedprice) as avg_price, avg(l_discount) as avg_disc, count(*) as count_order
 from lineitem where l_shipdate <= date '1998-12-01' - interval '{delta} day'
 group by l_returnflag, l_linestatus order by l_returnflag, l_linestatus""",
    2: """select s_acctbal, s_name, n_name, p_partkey, p_mfgr, s_address, s_phone, s_comment from part, supplier, partsupp, nation, region
 where p_partkey = ps_partkey and s_suppkey = ps_suppkey and p_size = {size} and p_type like '%{metal}' and s_nationkey = n_nationkey
 and n_regionkey = r_regionkey and r_name = '{region}' and ps_supplycost = (select min(ps_supplycost) from partsupp, supplier, nation, region
  where p_partkey = ps_partkey and s_suppkey = ps_suppkey and s_nationkey = n_nationkey and n_regionkey = r_regionkey and r_name = '{region}')
 order by s_acctbal desc, n_name, s_name, p_partkey limit 100""",
    3: """select l_orderkey, sum(l_extendedprice * (1 - l_discount)) as revenue, o_orderdate, o_shippriority from customer, orders, lineitem
 where c_mktsegment = '{segment}' and c_custkey = o_custkey and l_orderkey = o_orderkey and o_orderdate < date '1995-03-{day}'
 and l_shipdate > date '1995-03-{day}' group by l_orderkey, o_orderdate, o_shippriority order by revenue desc, o_orderdate limit 10""",
    4: """select o_orderpriority, count(*) as order_count from orders where o_orderdate >= date '{month}'
 and o_orderdate < date '{month}' + interval '3 month' and exists (select * from lineitem where l_orderkey = o_orderkey
  and l_commitdate < l_receiptdate) group by o_orderpriority order by o_orderpriority""",
    5: """select n_name, sum(l_extendedprice * (1 - l_discount)) as revenue from customer, orders, lineitem, supplier, nation, region
 where c_custkey = o_custkey and l_orderkey = o_orderkey and l_suppkey = s_suppkey and c_nationkey = s_nationkey and s_nationkey = n_nationkey
 and n_regionkey = r_regionkey and r_name = '{region}' and o_orderdate >= date '{year}-01-01'
 and o_orderdate < date '{year}-01-01' + interval '1 year' group by n_name order by revenue desc""",
    6: """select sum(l_extendedprice * l_discount) as revenue from lineitem where l_shipdate >= date '{year}-01-01'
 and l_shipdate < date '{year}-01-01' + interval '1 year' and l_discount between {discount} - 0.01 and {discount} + 0.01
 and l_quantity < {quantity}""",
    7: """select supp_nation, cust_nation, l_year, sum(volume) as revenue from (select n1.n_name as supp_nation, n2.n_name as cust_nation,
 extract(year from l_shipdate) as l_year, l_extendedprice * (1 - l_discount) as volume from supplier, lineitem, orders, customer, nation n1, nation n2
 where s_suppkey = l_suppkey and o_orderkey = l_orderkey and c_custkey = o_custkey and s_nationkey = n1.n_nationkey and c_nationkey = n2.n_nationkey
 and ((n1.n_name = '{nation}' and n2.n_name = '{nation2}') or (n1.n_name = '{nation2}' and n2.n_name = '{nation}'))
 and l_shipdate between date '1995-01-01' and date '1996-12-31') as shipping
 group by supp_nation, cust_nation, l_year order by supp_nation, cust_nation, l_year""",
    8: """select o_year, sum(case when nation = '{nation}' then volume else 0 end) / sum(volume) as mkt_share from (select
 extract(year from o_orderdate) as o_year, l_extendedprice * (1 - l_discount) as volume, n2.n_name as nation
 from part, supplier, lineitem, orders, customer, nation n1, nation n2, region where p_partkey = l_partkey and s_suppkey = l_suppkey
 and l_orderkey = o_orderkey and o_custkey = c_custkey and c_nationkey = n1.n_nationkey and n1.n_regionkey = r_regionkey and r_name = '{nation_region}'
 and s_nationkey = n2.n_nationkey and o_orderdate between date '1995-01-01' and date '1996-12-31' and p_type = '{type}') as all_nations
 group by o_year order by o_year""",
    9: """select nation, o_year, sum(amount) as sum_profit from (select n_name as nation, extract(year from o_orderdate) as o_year,
 l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity as amount from part, supplier, lineitem, partsupp, orders, nation
 where s_suppkey = l_suppkey and ps_suppkey = l_suppkey and ps_partkey = l_partkey and p_partkey = l_partkey and o_orderkey = l_orderkey
 and s_nationkey = n_nationkey and p_name like '%{colour}%') as profit group by nation, o_year order by nation, o_year desc""",
    10: """select c_custkey, c_name, sum(l_extendedprice * (1 - l_discount)) as revenue, c_acctbal, n_name, c_address, c_phone, c_comment
 from customer, orders, lineitem, nation where c_custkey = o_custkey and l_orderkey = o_orderkey and o_orderdate >= date '{month}'
 and o_orderdate < date '{month}' + interval '3 month' and l_returnflag = 'R' and c_nationkey = n_nationkey
 group by c_custkey, c_name, c_acctbal, c_phone, n_name, c_address, c_comment order by revenue desc, c_custkey limit 20""",
    11: """select ps_partkey, sum(ps_supplycost * ps_availqty) as value from partsupp, supplier, nation where ps_suppkey = s_suppkey
 and s_nationkey = n_nationkey and n_name = '{nation}' group by ps_partkey having sum(ps_supplycost * ps_availqty) > (select
  sum(ps_supplycost * ps_availqty) * {fraction} from partsupp, supplier, nation where ps_suppkey = s_suppkey and s_nationkey = n_nationkey
  and n_name = '{nation}') order by value desc, ps_partkey""",
    12: """select l_shipmode, sum(case when o_orderpriority = '1-URGENT' or o_orderpriority = '2-HIGH' then 1 else 0 end) as high_line_count,
 sum(case when o_orderpriority <> '1-URGENT' and o_orderpriority <> '2-HIGH' then 1 else 0 end) as low_line_count from orders, lineitem
 where o_orderkey = l_orderkey and l_shipmode in ('{mode}', '{mode2}') and l_commitdate < l_receiptdate and l_shipdate < l_commitdate
 and l_receiptdate >= date '{year}-01-01' and l_receiptdate < date '{year}-01-01' + interval '1 year' group by l_shipmode order by l_shipmode""",
    13: """select c_count, count(*) as custdist from (select c_custkey, count(o_orderkey) from customer left outer join orders
 on c_custkey = o_custkey and o_comment not like '%{word}%{word2}%' group by c_custkey) as c_orders (c_custkey, c_count)
 group by c_count order by custdist desc, c_count desc""",
    14: """select 100.00 * sum(case when p_type like 'PROMO%' then l_extendedprice * (1 - l_discount) else 0 end)
 / sum(l_extendedprice * (1 - l_discount)) as promo_revenue from lineitem, part where l_partkey = p_partkey and l_shipdate >= date '{month}'
 and l_shipdate < date '{month}' + interval '1 month'""",
    15: """with revenue (supplier_no, total_revenue) as (select l_suppkey, sum(l_extendedprice * (1 - l_discount)) from lineitem
 where l_shipdate >= date '{month}' and l_shipdate < date '{month}' + interval '3 month' group by l_suppkey)
 select s_suppkey, s_name, s_address, s_phone, total_revenue from supplier, revenue where s_suppkey = supplier_no
 and total_revenue = (select max(total_revenue) from revenue) order by s_suppkey""",
    16: """select p_brand, p_type, p_size, count(distinct ps_suppkey) as supplier_cnt from partsupp, part where p_partkey = ps_partkey
 and p_brand <> '{brand}' and p_type not like '{finish}%' and p_size in (49, 14, 23, 45, 19, 3, 36, 9) and ps_suppkey not in (select s_suppkey
  from supplier where s_comment like '%Customer%Complaints%') group by p_brand, p_type, p_size order by supplier_cnt desc, p_brand, p_type, p_size""",
    17: """select sum(l_extendedprice) / 7.0 as avg_yearly from lineitem, part where p_partkey = l_partkey and p_brand = '{brand}'
 and p_container = '{box}' and l_quantity < (select 0.2 * avg(l_quantity) from lineitem where l_partkey = p_partkey)""",
    18: """select c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice, sum(l_quantity) from customer, orders, lineitem
 where o_orderkey in (select l_orderkey from lineitem group by l_orderkey having sum(l_quantity) > {total}) and c_custkey = o_custkey
 and o_orderkey = l_orderkey group by c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice
 order by o_totalprice desc, o_orderdate, o_orderkey limit 100""",
    19: """select sum(l_extendedprice * (1 - l_discount)) as revenue from lineitem, part where (p_partkey = l_partkey and p_brand = '{brand}'
 and p_container in ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG') and l_quantity >= {q1} and l_quantity <= {q1} + 10 and p_size between 1 and 5
 and l_shipmode in ('AIR', 'AIR REG') and l_shipinstruct = 'DELIVER IN PERSON') or (p_partkey = l_partkey and p_brand = '{brand2}'
 and p_container in ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK') and l_quantity >= {q2} and l_quantity <= {q2} + 10 and p_size between 1 and 10
 and l_shipmode in ('AIR', 'AIR REG') and l_shipinstruct = 'DELIVER IN PERSON') or (p_partkey = l_partkey and p_brand = '{brand3}'
 and p_container in ('LG CASE', 'LG BOX', 'LG PACK', 'LG PKG') and l_quantity >= {q3} and l_quantity <= {q3} + 10 and p_size between 1 and 15
 and l_shipmode in ('AIR', 'AIR REG') and l_shipinstruct = 'DELIVER IN PERSON')""",
    20: """select s_name, s_address from supplier, nation where s_suppkey in (select ps_suppkey from partsupp where ps_partkey in (select
  p_partkey from part where p_name like '{colour}%') and ps_availqty > (select 0.5 * sum(l_quantity) from lineitem where l_partkey = ps_partkey
   and l_suppkey = ps_suppkey and l_shipdate >= date '{year}-01-01' and l_shipdate < date '{year}-01-01' + interval '1 year'))
 and s_nationkey = n_nationkey and n_name = '{nation}' order by s_name""",
    21: """select s_name, count(*) as numwait from supplier, lineitem l1, orders, nation where s_suppkey = l1.l_suppkey and o_orderkey = l1.l_orderkey
 and o_orderstatus = 'F' and l1.l_receiptdate > l1.l_commitdate and exists (select * from lineitem l2 where l2.l_orderkey = l1.l_orderkey
  and l2.l_suppkey <> l1.l_suppkey) and not exists (select * from lineitem l3 where l3.l_orderkey = l1.l_orderkey
  and l3.l_suppkey <> l1.l_suppkey and l3.l_receiptdate > l3.l_commitdate) and s_nationkey = n_nationkey and n_name = '{nation}'
 group by s_name order by numwait desc, s_name limit 100""",
    22: """select cntrycode, count(*) as numcust, sum(c_acctbal) as totacctbal from (select substring(c_phone from 1 for 2) as cntrycode, c_acctbal
 from customer where substring(c_phone from 1 for 2) in ({codes}) and c_acctbal > (select avg(c_acctbal) from customer where c_acctbal > 0.00
  and substring(c_phone from 1 for 2) in ({codes})) and not exists (select * from orders where o_custkey = c_custkey)) as custsale
 group by cntrycode order by cntrycode""",
}


def queries(seed=7):
    rng = random.Random(seed)
    out = {}
    for number, text in QUERIES.items():
        (nation, region), (nation2, _) = rng.sample([n for n in NATIONS if n[0] != 'KENYA'], 2)
        mode, mode2 = rng.sample([m for m in MODES if m != 'FOB'], 2)
        brands = [f'Brand#{rng.randint(1, 5)}{rng.randint(1, 5)}' for _ in range(3)]
        out[number] = ' '.join(text.format(
            delta=rng.randint(60, 120), size=rng.randint(1, 45), metal=rng.choice(TYPES[2]), region=rng.choice(REGIONS), segment=rng.choice(SEGMENTS[:3]),
            day=rng.randint(10, 31), month=f'{rng.randint(1993, 1996)}-{rng.choice(["01", "04", "07", "10"])}-01', year=rng.randint(1993, 1997),
            discount=f'0.0{rng.randint(2, 9)}', quantity=rng.randint(24, 25), nation=nation, nation2=nation2, nation_region=REGIONS[region],
            type=' '.join(rng.choice(w) for w in TYPES), colour=rng.choice(COLOURS), fraction='0.001', mode=mode, mode2=mode2, word=rng.choice(WORDS[:4]),
            word2=rng.choice(WORDS[17:21]), brand=brands[0], brand2=brands[1], brand3=brands[2], finish=' '.join(rng.choice(w) for w in TYPES[:2]),
            box=' '.join(rng.choice(w) for w in CONTAINERS), total=rng.randint(270, 290), q1=rng.randint(1, 10), q2=rng.randint(10, 20),
            q3=rng.randint(20, 30), codes=', '.join(f"'{c}'" for c in rng.sample(range(10, 35), 7))).split())
    return out
