use crate::{show, url};
use diesel::{dsl::count_star, prelude::*, sql_query, sql_types::BigInt};

diesel::table! {
    shop.orders (id) { id -> BigInt, customer_id -> Integer, total -> Nullable<Numeric>, region -> Nullable<Text> }
}
diesel::table! {
    shop.customers (id) { id -> Integer, name -> Text, email -> Nullable<Text>, born -> Nullable<Date>, tags -> Nullable<Array<Nullable<Text>>> }
}
diesel::joinable!(orders -> customers (customer_id));
diesel::allow_tables_to_appear_in_same_query!(orders, customers);

#[derive(Debug, QueryableByName)]
#[allow(dead_code)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

pub fn run() {
    let mut c = PgConnection::establish(&url()).expect("diesel connects");
    show("diesel rows", orders::table.select((orders::id, orders::region)).filter(orders::id.lt(7)).order(orders::id).load::<(i64, Option<String>)>(&mut c));
    show("diesel join", orders::table.inner_join(customers::table).select((orders::id, customers::name, customers::tags)).order(orders::id.desc()).limit(2)
        .load::<(i64, String, Option<Vec<Option<String>>>)>(&mut c));
    show("diesel group", orders::table.group_by(orders::region).select((orders::region, count_star())).order(orders::region).load::<(Option<String>, i64)>(&mut c));
    show("diesel any", customers::table.filter(customers::id.eq_any(vec![1, 3])).select((customers::email, customers::born)).order(customers::id)
        .load::<(Option<String>, Option<chrono::NaiveDate>)>(&mut c));
    show("diesel sql", sql_query("SELECT count(*) AS n FROM shop.items WHERE order_id > $1").bind::<BigInt, _>(20i64).load::<Count>(&mut c));
    show("diesel hidden", sql_query("SELECT count(*) AS n FROM vault.zzkeys").load::<Count>(&mut c));
    show("diesel transaction", c.build_transaction().read_only().serializable().run(|c| {
        let inner: Result<(), diesel::result::Error> = c.transaction(|c| sql_query("SELECT * FROM nosuch").execute(c).map(|_| ()));
        orders::table.count().get_result::<i64>(c).map(|n| (inner.is_err(), n))
    }));
    show("diesel row by row", orders::table.select(orders::id).load_iter::<i64, diesel::pg::PgRowByRowLoadingMode>(&mut c).map(|rows| rows.count()));
}
