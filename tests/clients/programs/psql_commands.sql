-- Every command of psql that reads catalogs, with patterns and modifiers.
\echo '== \\l'
\l
\echo '== \\l+'
\l+
\echo '== \\dn'
\dn
\echo '== \\dn+'
\dn+
\echo '== \\dn shop'
\dn shop
\echo '== \\dn vault'
\dn vault
\echo '== \\d'
\d
\echo '== \\d+'
\d+
\echo '== \\dS'
\dS
\echo '== \\d *'
\d *
\echo '== \\d shop.*'
\d shop.*
\echo '== \\d+ shop.*'
\d+ shop.*
\echo '== \\d vault.*'
\d vault.*
\echo '== \\d zz*'
\d zz*
\echo '== \\dt'
\dt
\echo '== \\dt *.*'
\dt *.*
\echo '== \\dt+ shop.*'
\dt+ shop.*
\echo '== \\dtv shop.*'
\dtv shop.*
\echo '== \\di shop.*'
\di shop.*
\echo '== \\di+ shop.*'
\di+ shop.*
\echo '== \\dv shop.*'
\dv shop.*
\echo '== \\dv+ shop.*'
\dv+ shop.*
\echo '== \\dm shop.*'
\dm shop.*
\echo '== \\dm+ shop.*'
\dm+ shop.*
\echo '== \\ds shop.*'
\ds shop.*
\echo '== \\ds+ shop.*'
\ds+ shop.*
\echo '== \\dE'
\dE
\echo '== \\dP shop.*'
\dP shop.*
\echo '== \\dPtn+ shop.*'
\dPtn+ shop.*
\echo '== \\dPi'
\dPi
\echo '== \\d shop.customers'
\d shop.customers
\echo '== \\d+ shop.customers'
\d+ shop.customers
\echo '== \\d shop.products'
\d shop.products
\echo '== \\d+ shop.products'
\d+ shop.products
\echo '== \\d shop.orders'
\d shop.orders
\echo '== \\d+ shop.orders'
\d+ shop.orders
\echo '== \\d shop.items'
\d shop.items
\echo '== \\d shop.events'
\d shop.events
\echo '== \\d+ shop.events'
\d+ shop.events
\echo '== \\d shop.events_2024'
\d shop.events_2024
\echo '== \\d+ shop.events_2024'
\d+ shop.events_2024
\echo '== \\d shop.order_totals'
\d shop.order_totals
\echo '== \\d+ shop.daily'
\d+ shop.daily
\echo '== \\d shop.customers_email'
\d shop.customers_email
\echo '== \\d+ shop.orders_customer'
\d+ shop.orders_customer
\echo '== \\d shop.tickets'
\d shop.tickets
\echo '== \\d shop.address'
\d shop.address
\echo '== \\d shop.zzsalaries'
\d shop.zzsalaries
\echo '== \\d shop.zzphone_index'
\d shop.zzphone_index
\echo '== \\d shop.zzview'
\d shop.zzview
\echo '== \\df'
\df
\echo '== \\df shop.*'
\df shop.*
\echo '== \\df+ shop.*'
\df+ shop.*
\echo '== \\df lower'
\df lower
\echo '== \\df+ lower'
\df+ lower
\echo '== \\dfa sum'
\dfa sum
\echo '== \\dfw rank'
\dfw rank
\echo '== \\dft'
\dft
\echo '== \\dfp'
\dfp
\echo '== \\df * int'
\df * int
\echo '== \\da sum'
\da sum
\echo '== \\da'
\da
\echo '== \\dT'
\dT
\echo '== \\dT shop.*'
\dT shop.*
\echo '== \\dT+ shop.*'
\dT+ shop.*
\echo '== \\dT+ zz*'
\dT+ zz*
\echo '== \\dTS int4'
\dTS int4
\echo '== \\dD shop.*'
\dD shop.*
\echo '== \\dD+ shop.*'
\dD+ shop.*
\echo '== \\dC integer'
\dC integer
\echo '== \\dC+ shop.*'
\dC+ shop.*
\echo '== \\dd'
\dd
\echo '== \\dd shop.*'
\dd shop.*
\echo '== \\ddp'
\ddp
\echo '== \\dp shop.*'
\dp shop.*
\echo '== \\z shop.*'
\z shop.*
\echo '== \\z zz*'
\z zz*
\echo '== \\dp'
\dp
\echo '== \\drg'
\drg
\echo '== \\drds'
\drds
\echo '== \\dO'
\dO
\echo '== \\dOS C'
\dOS C
\echo '== \\do ='
\do =
\echo '== \\do+ @>'
\do+ @>
\echo '== \\do <-> point'
\do <-> point
\echo '== \\dc'
\dc
\echo '== \\dcS latin*'
\dcS latin*
\echo '== \\dL'
\dL
\echo '== \\dL+'
\dL+
\echo '== \\dx'
\dx
\echo '== \\dx+'
\dx+
\echo '== \\dy'
\dy
\echo '== \\dA'
\dA
\echo '== \\dA+ btree'
\dA+ btree
\echo '== \\dAc btree int*'
\dAc btree int*
\echo '== \\dAc+ gin'
\dAc+ gin
\echo '== \\dAf btree'
\dAf btree
\echo '== \\dAf+ hash'
\dAf+ hash
\echo '== \\dAo btree integer_ops'
\dAo btree integer_ops
\echo '== \\dAp btree integer_ops'
\dAp btree integer_ops
\echo '== \\db'
\db
\echo '== \\db+'
\db+
\echo '== \\dF'
\dF
\echo '== \\dF+ english'
\dF+ english
\echo '== \\dFd'
\dFd
\echo '== \\dFp'
\dFp
\echo '== \\dFp+ default'
\dFp+ default
\echo '== \\dFt'
\dFt
\echo '== \\deu'
\deu
\echo '== \\des'
\des
\echo '== \\dew'
\dew
\echo '== \\det'
\det
\echo '== \\dRp'
\dRp
\echo '== \\dRp+'
\dRp+
\echo '== \\dRs'
\dRs
\echo '== \\dX'
\dX
\echo '== \\dX+'
\dX+
\echo '== \\dconfig'
\dconfig
\echo '== \\dconfig work_mem'
\dconfig work_mem
\echo '== \\dl'
\dl
\echo '== \\dl+'
\dl+
\echo '== \\lo_list'
\lo_list
\echo '== \\sf shop.add_tax'
\sf shop.add_tax
\echo '== \\sf+ lower'
\sf+ lower
\echo '== \\sf shop.zzpeek'
\sf shop.zzpeek
\echo '== \\sv shop.order_totals'
\sv shop.order_totals
\echo '== \\sv shop.zzview'
\sv shop.zzview
\echo '== \\copy (SELECT id, name FROM shop.customers ORDER BY 1 LIMIT 3) TO STDOUT'
\copy (SELECT id, name FROM shop.customers ORDER BY 1 LIMIT 3) TO STDOUT
\echo '== \\copy shop.orders TO STDOUT'
\copy shop.orders TO STDOUT
\echo '== SELECT * FROM shop.customers LIMIT 3 \\gdesc'
SELECT * FROM shop.customers LIMIT 3 \gdesc
\echo '== SELECT 1 AS one \\gset'
SELECT 1 AS one \gset
\echo '== SELECT id, status, total FROM shop.orders WHERE id < 12 ORDER BY 1 \\crosstabview'
SELECT id, status, total FROM shop.orders WHERE id < 12 ORDER BY 1 \crosstabview
\echo '== SELECT format(''SELECT %s'', id) FROM shop.products WHERE id < 3 \\gexec'
SELECT format('SELECT %s', id) FROM shop.products WHERE id < 3 \gexec
\echo done
