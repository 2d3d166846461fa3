//! What tokio-postgres, sqlx and diesel see of the warehouse that PGHOST ... name: a line a step.
mod with_diesel;
mod with_sqlx;
mod with_tokio_postgres;

use std::fmt::{Debug, Display};

/// Prints a step's result, or its error.
pub fn show<T: Debug, E: Display>(name: &str, result: Result<T, E>) {
    match result {
        Ok(value) => println!("{name} = {value:?}"),
        Err(error) => println!("{name} = ERROR {}", error.to_string().lines().next().unwrap_or("")),
    }
}

pub fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

/// libpq's and sqlx's form.
pub fn url() -> String {
    format!(
        "postgres://{}:{}@{}:{}/{}?sslmode=verify-full&sslrootcert={}",
        env("PGUSER"), env("PGPASSWORD"), env("PGHOST"), env("PGPORT"), env("PGDATABASE"), env("PGSSLROOTCERT")
    )
}

pub const LONG: &str = "SELECT count(*) FROM shop.orders a, shop.orders b, shop.orders c, shop.orders d";

#[tokio::main]
async fn main() {
    with_tokio_postgres::run().await;
    with_sqlx::run().await;
    tokio::task::spawn_blocking(with_diesel::run).await.unwrap();
    println!("done");
}
