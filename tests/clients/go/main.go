// What pgx, in each of its ways to run a query, and lib/pq see of the warehouse that PGHOST ... name: a line a step.
package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/lib/pq"
)

const long = "SELECT count(*) FROM shop.orders a, shop.orders b, shop.orders c, shop.orders d"

var ctx = context.Background()

func text(err error) string {
	var pg *pgconn.PgError
	var old *pq.Error
	switch {
	case errors.As(err, &pg):
		return pg.Code + " " + pg.Message
	case errors.As(err, &old):
		return string(old.Code) + " " + old.Message
	}
	return strings.Split(err.Error(), "\n")[0]
}

func show(name string, value any, err error) {
	if err != nil {
		fmt.Println(name, "= ERROR", text(err))
	} else {
		fmt.Println(name, "=", value)
	}
}

func with(mode pgx.QueryExecMode) {
	config, err := pgx.ParseConfig("")
	if err != nil {
		panic(err)
	}
	config.DefaultQueryExecMode = mode
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		show(mode.String(), nil, err)
		return
	}
	defer c.Close(ctx)
	step := func(name, query string, args ...any) {
		rows, _ := c.Query(ctx, query, args...)
		all, err := pgx.CollectRows(rows, pgx.RowToMap)
		show(mode.String()+" "+name, all, err)
	}
	step("rows", "SELECT id, total::text, status::text, placed AT TIME ZONE 'UTC' AS at FROM shop.orders WHERE id < $1 ORDER BY id", 9)
	step("text", "SELECT id, email FROM shop.customers WHERE name = $1", "Customer 3")
	step("array", "SELECT id FROM shop.orders WHERE id = ANY ($1::bigint[]) ORDER BY id", []int64{1, 2, 4})
	step("enum", "SELECT count(*) FROM shop.orders WHERE status = $1", "paid")
	step("time", "SELECT count(*) FROM shop.orders WHERE placed > $1", time.Date(2024, 1, 10, 0, 0, 0, 0, time.UTC))
	step("types", "SELECT tags, attrs, born, active, home::text FROM shop.customers WHERE id = 4")
	step("none", "SELECT * FROM shop.orders WHERE id = $1", -1)
	step("hidden", "SELECT * FROM vault.zzkeys")
	step("no column", "SELECT zzphone FROM shop.customers")
	step("broken", "SELEC 1")
	step("empty", "-- nothing")

	batch := &pgx.Batch{}
	batch.Queue("SELECT count(*) FROM shop.orders")
	batch.Queue("SELECT max(id) FROM shop.items_of_nobody")
	results := c.SendBatch(ctx, batch)
	var n int
	err = results.QueryRow().Scan(&n)
	show(mode.String()+" batch", n, err)
	_, err = results.Exec()
	show(mode.String()+" batch", nil, err)
	_ = results.Close()

	tx, err := c.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err == nil {
		inner, _ := tx.Begin(ctx)
		_, err = inner.Exec(ctx, "SELECT * FROM nosuch")
		show(mode.String()+" in savepoint", nil, err)
		_ = inner.Rollback(ctx)
		err = tx.QueryRow(ctx, "SELECT count(*) FROM shop.orders").Scan(&n)
		show(mode.String()+" after savepoint", n, err)
		err = tx.Commit(ctx)
	}
	show(mode.String()+" transaction", "committed", err)

	limited, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	_, err = c.Exec(limited, long)
	cancel()
	show(mode.String()+" timeout", pgconn.Timeout(err), nil)
}

func rest() {
	c, err := pgx.Connect(ctx, "")
	if err != nil {
		show("connect", nil, err)
		return
	}
	defer c.Close(ctx)
	var out bytes.Buffer
	tag, err := c.PgConn().CopyTo(ctx, &out, "COPY (SELECT id FROM shop.orders) TO STDOUT (FORMAT csv)")
	show("copy to", fmt.Sprint(tag, out.Len()), err)
	_, err = c.CopyFrom(ctx, pgx.Identifier{"shop", "nosuch"}, []string{"id"}, pgx.CopyFromRows([][]any{{1}}))
	show("copy from", nil, err)
	described, err := c.Prepare(ctx, "p", "SELECT o.*, c.home FROM shop.orders o JOIN shop.customers c ON c.id = customer_id WHERE placed > $1")
	if err == nil {
		for _, f := range described.Fields {
			t, known := c.TypeMap().TypeForOID(f.DataTypeOID)
			if known {
				fmt.Println("described", f.Name, f.TableAttributeNumber, t.Name)
			} else {
				fmt.Println("described", f.Name, f.TableAttributeNumber)
			}
		}
	}
	show("prepared", "p", err)
	for _, name := range []string{"shop.status", "shop.address", "shop.orders", "public._mood", "vault.zzcolour"} {
		t, err := c.LoadType(ctx, name)
		if err == nil {
			c.TypeMap().RegisterType(t)
		}
		fmt.Println("type", name, err == nil)
	}
	pipeline := c.PgConn().StartPipeline(ctx)
	pipeline.SendQueryParams("SELECT 1", nil, nil, nil, nil)
	pipeline.SendQueryParams("SELECT * FROM nosuch", nil, nil, nil, nil)
	_ = pipeline.Sync()
	pipeline.SendQueryParams("SELECT 2", nil, nil, nil, nil)
	_ = pipeline.Sync()
	for i := 0; i < 6; i++ {
		r, err := pipeline.GetResults()
		if reader, is := r.(*pgconn.ResultReader); is {
			done := reader.Read()
			r, err = fmt.Sprint(done.CommandTag), done.Err
		}
		if err != nil {
			fmt.Println("pipeline = ERROR", text(err))
		} else {
			fmt.Printf("pipeline = %T\n", r)
		}
	}
	show("pipeline", "closed", pipeline.Close())
}

func libpq() {
	db, err := sql.Open("postgres", "")
	if err != nil {
		show("pq", nil, err)
		return
	}
	defer db.Close()
	db.SetMaxOpenConns(3)
	var n int
	err = db.QueryRow("SELECT count(*) FROM shop.orders WHERE status = $1", "paid").Scan(&n)
	show("pq count", n, err)
	rows, err := db.Query("SELECT id, total, tags, home FROM shop.orders JOIN shop.customers USING (id) WHERE id = ANY ($1) ORDER BY id", pq.Array([]int{2, 4}))
	for err == nil && rows.Next() {
		var id int
		var total, tags, home sql.NullString
		err = rows.Scan(&id, &total, &tags, &home)
		fmt.Println("pq row", id, total.String, tags.String, home.String)
	}
	if err == nil {
		columns, _ := rows.ColumnTypes()
		for _, c := range columns {
			fmt.Println("pq column", c.Name(), c.DatabaseTypeName())
		}
	}
	show("pq rows", "read", err)
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true})
	if err == nil {
		_, err = tx.Exec("SELECT * FROM vault.zzkeys")
		show("pq hidden", nil, err)
		_, err = tx.Exec("SELECT 1")
		show("pq failed", nil, err)
		err = tx.Rollback()
	}
	show("pq transaction", "rolled back", err)
	limited, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	_, err = db.ExecContext(limited, long)
	show("pq cancelled", err != nil, nil)
	show("pq ping", "answered", db.Ping())
}

func main() {
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe,
		pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		with(mode)
	}
	rest()
	libpq()
	os.Stdout.WriteString("done\n")
}
