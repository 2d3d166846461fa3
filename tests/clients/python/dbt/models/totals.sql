select status, count(*) as n from {{ source('shop', 'orders') }} group by 1 order by 1
