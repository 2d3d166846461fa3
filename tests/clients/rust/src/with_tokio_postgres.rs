use crate::{env, show, LONG};
use chrono::{DateTime, NaiveDate, Utc};
use futures::{future::try_join_all, TryStreamExt};
use std::{sync::Arc, time::Duration};
use tokio_postgres::{error::SqlState, types::Type, Client, Config, Error, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

fn tls() -> MakeRustlsConnect {
    use rustls::pki_types::{pem::PemObject, CertificateDer};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(env("PGSSLROOTCERT")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    MakeRustlsConnect::new(
        rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}

async fn connect() -> Client {
    let mut config = Config::new();
    config.host(env("PGHOST")).port(env("PGPORT").parse().unwrap()).dbname(env("PGDATABASE"));
    config.user(env("PGUSER")).password(env("PGPASSWORD")).application_name("rust");
    config.ssl_mode(tokio_postgres::config::SslMode::Require);
    let (client, connection) = config.connect(tls()).await.expect("connects");
    tokio::spawn(connection);
    client
}

async fn count(c: &Client, sql: &str) -> Result<i64, Error> {
    c.query_one(sql, &[]).await.map(|row| row.get(0))
}

async fn tell(e: Result<u64, Error>) -> Result<u64, String> {
    e.map_err(|e| e.code().map_or(e.to_string(), |c| c.code().to_string()))
}

pub async fn run() {
    let mut c = connect().await;
    let rows = c.query("SELECT id, status::text, placed, total::float8 FROM shop.orders WHERE id < $1 ORDER BY id", &[&9i64]).await;
    show("rows", rows.map(|rows| {
        rows.iter().map(|r| (r.get::<_, i64>(0), r.get::<_, String>(1), r.get::<_, DateTime<Utc>>(2), r.get::<_, f64>(3))).collect::<Vec<_>>()
    }));
    let row = c.query_one("SELECT id, email, born, tags, attrs, active FROM shop.customers WHERE id = $1", &[&3i32]).await;
    show("types", row.map(|r| {
        (r.get::<_, i32>(0), r.get::<_, Option<String>>(1), r.get::<_, NaiveDate>(2), r.get::<_, Vec<String>>(3),
         r.get::<_, serde_json::Value>(4), r.get::<_, bool>(5))
    }));
    // Types of the warehouse's own are looked up in its catalogs.
    let statement = c.prepare("SELECT status, home, contact, total FROM shop.orders JOIN shop.customers c ON c.id = customer_id WHERE status = $1").await;
    show("described", statement.map(|s| {
        let columns: Vec<_> = s.columns().iter().map(|c| (c.name().to_string(), c.type_().schema().to_string(), c.type_().name().to_string(), format!("{:?}", c.type_().kind()).len())).collect();
        (s.params()[0].name().to_string(), columns)
    }));
    show("typed", c.query_typed("SELECT count(*) FROM shop.orders WHERE id > $1", &[(&100i64, Type::INT8)]).await.map(|r| r[0].get::<_, i64>(0)));
    show("array", c.query_one("SELECT count(*) FROM shop.orders WHERE id = ANY ($1)", &[&vec![2i64, 4, 5]]).await.map(|r| r.get::<_, i64>(0)));
    let many = (0..50i64).map(|i| { let c = &c; async move { c.query_one("SELECT $1 + count(*) FROM shop.items WHERE order_id = $1", &[&i]).await.map(|r| r.get::<_, i64>(0)) } });
    show("pipelined", try_join_all(many).await);
    show("streamed", match c.query_raw("SELECT id FROM shop.orders", Vec::<i32>::new()).await {
        Ok(rows) => rows.try_fold(0, |n, _| async move { Ok(n + 1) }).await,
        Err(e) => Err(e),
    });
    let messages = c.simple_query("SELECT 1 AS a; SELECT count(*) FROM shop.customers").await;
    show("simple", messages.map(|m| m.iter().filter_map(|m| if let SimpleQueryMessage::Row(r) = m { r.get(0).map(String::from) } else { None }).collect::<Vec<_>>()));
    show("copy", match c.copy_out("COPY (SELECT id FROM shop.orders ORDER BY id) TO STDOUT").await {
        Ok(data) => data.try_fold(0, |n, chunk| async move { Ok(n + chunk.len()) }).await,
        Err(e) => Err(e),
    });
    show("copy binary", match c.copy_out("COPY shop.products (id, title) TO STDOUT (FORMAT binary)").await {
        Ok(data) => data.try_fold(0, |n, chunk| async move { Ok(n + chunk.len()) }).await,
        Err(e) => Err(e),
    });
    for (name, sql) in [("hidden", "SELECT * FROM vault.zzkeys"), ("no column", "SELECT zzphone FROM shop.customers"), ("broken", "SELEC 1")] {
        show(name, tell(c.execute(sql, &[]).await).await);
    }
    match c.transaction().await {
        Ok(mut t) => {
            if let Ok(s) = t.savepoint("s").await {
                show("in savepoint", s.execute("SELECT * FROM nosuch", &[]).await.map_err(|e| e.code() == Some(&SqlState::UNDEFINED_TABLE)).map_err(|b| b.to_string()));
                show("savepoint", s.rollback().await);
            }
            let portal = t.bind("SELECT id FROM shop.orders ORDER BY id", &[]).await;
            if let Ok(p) = portal {
                let mut sizes = vec![];
                while let Ok(rows) = t.query_portal(&p, 37).await {
                    sizes.push(rows.len());
                    if rows.len() < 37 { break; }
                }
                show("portal", Ok::<_, String>(sizes));
            }
            show("commit", t.commit().await);
        }
        Err(e) => show("transaction", Err::<(), _>(e)),
    }
    let token = c.cancel_token();
    tokio::spawn(async move { tokio::time::sleep(Duration::from_millis(300)).await; token.cancel_query(tls()).await });
    show("cancel", count(&c, LONG).await.map_err(|e| e.code().map(|c| c.code().to_string()).unwrap_or_default()));
    show("after", count(&c, "SELECT count(*) FROM shop.orders").await);
}
