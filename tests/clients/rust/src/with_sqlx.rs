use crate::{show, url};
use futures::TryStreamExt;
use sqlx::{postgres::PgPoolOptions, Column, Connection, Executor, Row, TypeInfo};

#[derive(Debug, sqlx::FromRow)]
#[allow(dead_code)]
struct Order {
    id: i64,
    status: Status,
    total: Option<bigdecimal::BigDecimal>,
}

#[derive(Debug, PartialEq, sqlx::Type)]
#[sqlx(type_name = "shop.status", rename_all = "lowercase")]
enum Status {
    New,
    Paid,
    Sent,
}

#[derive(Debug, sqlx::Type)]
#[sqlx(type_name = "shop.address")]
#[allow(dead_code)]
struct Address {
    street: Option<String>,
    city: Option<String>,
}

pub async fn run() {
    let pool = PgPoolOptions::new().max_connections(3).connect(&url()).await.expect("sqlx connects");
    show("sqlx as", sqlx::query_as::<_, Order>("SELECT id, status, total FROM shop.orders WHERE id <= $1 ORDER BY id").bind(6i64).fetch_all(&pool).await);
    show("sqlx enum", sqlx::query_scalar::<_, i64>("SELECT count(*) FROM shop.orders WHERE status = $1").bind(Status::Paid).fetch_one(&pool).await);
    show("sqlx composite", sqlx::query_scalar::<_, Address>("SELECT home FROM shop.customers WHERE id = 2").fetch_one(&pool).await);
    show("sqlx json", sqlx::query_scalar::<_, sqlx::types::Json<serde_json::Value>>("SELECT attrs FROM shop.customers WHERE id = 4").fetch_one(&pool).await.map(|j| j.0));
    show("sqlx array", sqlx::query_scalar::<_, i64>("SELECT id FROM shop.orders WHERE id = ANY ($1) ORDER BY id").bind(vec![1i64, 2, 4]).fetch_all(&pool).await);
    show("sqlx stream", sqlx::query("SELECT * FROM shop.orders").fetch(&pool).try_fold(0, |n, _| async move { Ok(n + 1) }).await);
    // What query!() asks at compile time: names, types, and which columns may be NULL.
    show("sqlx describe", pool.describe("SELECT o.id, o.total, c.name FROM shop.orders o LEFT JOIN shop.customers c ON c.id = o.customer_id").await.map(|d| {
        (0..d.columns().len()).map(|i| (d.column(i).name().to_string(), d.column(i).type_info().name().to_string(), d.nullable(i))).collect::<Vec<_>>()
    }));
    show("sqlx hidden", sqlx::query("SELECT * FROM vault.zzkeys").fetch_all(&pool).await.map(|r| r.len()));
    match pool.begin().await {
        Ok(mut t) => {
            let failed = match t.begin().await {
                Ok(mut s) => sqlx::query("SELECT * FROM nosuch").execute(&mut *s).await.is_err(),
                Err(_) => false,
            };
            show("sqlx savepoint", Ok::<_, String>(failed));
            show("sqlx in transaction", sqlx::query("SELECT max(id) FROM shop.orders").fetch_one(&mut *t).await.map(|r| r.get::<i64, _>(0)));
            show("sqlx commit", t.commit().await);
        }
        Err(e) => show("sqlx begin", Err::<(), _>(e)),
    }
    match pool.acquire().await {
        Ok(mut c) => {
            show("sqlx ping", c.ping().await);
            show("sqlx raw", sqlx::raw_sql("SELECT 1; SELECT 2").fetch_all(&mut *c).await.map(|r| r.len()));
        }
        Err(e) => show("sqlx acquire", Err::<(), _>(e)),
    }
    pool.close().await;
}
