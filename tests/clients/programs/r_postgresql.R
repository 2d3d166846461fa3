# RPostgreSQL: tables, fields, data frames.
library(RPostgreSQL)
e <- function(x) Sys.getenv(x)
say <- function(name, call) { v <- tryCatch(call(), error = function(x) paste('ERROR', strsplit(conditionMessage(x), '\n')[[1]][1])); cat(name, '=\n'); print(v) }
c <- dbConnect(PostgreSQL(), host = e('PGHOST'), port = as.integer(e('PGPORT')), dbname = e('PGDATABASE'), user = e('PGUSER'), password = e('PGPASSWORD'))
say('tables', function() sort(dbListTables(c)))
for (t in list(c('shop', 'customers'), c('shop', 'orders'), c('shop', 'zzsalaries'), c('public', 'notes'))) {
  say(paste(t, collapse = '.'), function() dbExistsTable(c, t))
  say('fields', function() dbListFields(c, t))
  say('rows', function() { d <- dbReadTable(c, t); d[order(d[[1]]), ][1:3, ] })
}
say('query', function() dbGetQuery(c, 'SELECT status, count(*), sum(total) FROM shop.orders GROUP BY 1 ORDER BY 1'))
say('columns', function() { r <- dbSendQuery(c, 'SELECT * FROM shop.products'); v <- dbColumnInfo(r); f <- fetch(r, 3); dbClearResult(r); list(v, f) })
say('parameters', function() dbGetQuery(c, 'SELECT id, name FROM shop.customers WHERE id = $1', params = list(3)))
say('hidden', function() dbGetQuery(c, 'SELECT * FROM vault.zzkeys'))
say('info', function() names(dbGetInfo(c)))
invisible(dbDisconnect(c))
cat('done\n')
