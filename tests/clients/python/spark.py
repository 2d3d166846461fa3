"""Spark by JDBC: partitioned reads, what it pushes down, and the warehouse as a catalog of its own. spark.py JAR"""
import sys

from pyspark.sql import SparkSession, functions as F

from steps import E, JDBC, step

base = dict(url=JDBC, user=E['PGUSER'], password=E['PGPASSWORD'], driver='org.postgresql.Driver')
builder = (SparkSession.builder.master('local[2]').config('spark.jars', sys.argv[1]).config('spark.driver.extraClassPath', sys.argv[1])
           .config('spark.ui.enabled', 'false').config('spark.ui.showConsoleProgress', 'false').config('spark.sql.shuffle.partitions', '2')
           .config('spark.sql.session.timeZone', 'UTC')
           .config('spark.driver.memory', '900m').config('spark.sql.catalog.pg', 'org.apache.spark.sql.execution.datasources.v2.jdbc.JDBCTableCatalog'))
for key, value in {**base, 'pushDownAggregate': 'true', 'pushDownLimit': 'true', 'pushDownOffset': 'true'}.items():
    builder = builder.config(f'spark.sql.catalog.pg.{key}', value)
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel('OFF')


def read(**options):
    return spark.read.format('jdbc').options(**base, **options).load()


orders = read(dbtable='shop.orders')
step('schema', lambda: read(dbtable='shop.customers').schema.simpleString())
step('count', lambda: orders.count())
step('partitions', lambda: read(dbtable='shop.orders', partitionColumn='id', lowerBound='1', upperBound='200', numPartitions='4', fetchsize='7')
     .agg(F.count('*'), F.sum('total')).collect())
step('partitions by time', lambda: read(dbtable='shop.events', partitionColumn='at', lowerBound='2024-06-01 00:00:00', upperBound='2025-03-01 00:00:00',
                                        numPartitions='3').count())
step('predicates', lambda: spark.read.jdbc(JDBC, 'shop.orders', predicates=['id < 50', 'id >= 50 AND id < 100', 'id >= 100'],
                                           properties={k: v for k, v in base.items() if k != 'url'}).count())
step('query', lambda: read(query='SELECT status, count(*) AS n FROM shop.orders GROUP BY status').orderBy('status').collect())
step('filters', lambda: orders.where("status = 'paid' AND id > 10 AND total IS NOT NULL AND region LIKE 'E%'").orderBy('id').limit(3).select('id', 'total').collect())
step('arrays', lambda: read(dbtable='shop.customers').where('id = 3').select('tags', 'attrs', 'born').collect())
step('session', lambda: read(dbtable='shop.orders', sessionInitStatement="SET statement_timeout = '30s'").count())
step('with', lambda: read(query='SELECT * FROM t', prepareQuery='WITH t AS (SELECT id FROM shop.orders WHERE id < 9)').count())
step('join', lambda: orders.alias('o').join(read(dbtable='shop.customers').alias('c'), F.col('o.customer_id') == F.col('c.id'))
     .groupBy('country').count().orderBy('country').collect())
step('namespaces', lambda: [x for x in sorted(r[0] for r in spark.sql('SHOW NAMESPACES IN pg').collect()) if x in ('shop', 'public')])
step('tables', lambda: [x for x in sorted(r[1] for r in spark.sql('SHOW TABLES IN pg.shop').collect()) if not x.startswith('zz')])
step('describe', lambda: spark.sql('DESCRIBE TABLE pg.shop.products').collect())
step('aggregates', lambda: spark.sql('SELECT status, sum(total), min(id) FROM pg.shop.orders WHERE id > 4 GROUP BY status ORDER BY status').collect())
step('top', lambda: spark.sql('SELECT id FROM pg.shop.orders ORDER BY id LIMIT 3 OFFSET 2').collect())
step('functions', lambda: spark.sql("SELECT id FROM pg.shop.orders WHERE abs(total) > 5 AND upper(region) = 'EU' AND year(placed) = 2024 ORDER BY id LIMIT 2").collect())
print('done')
