"""Django: inspectdb's models, every method of its introspection, and the ORM over what it finds."""
import io
import os
import re
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection

env = os.environ
settings.configure(DATABASES={'default': {
    'ENGINE': 'django.db.backends.postgresql', 'NAME': env['PGDATABASE'], 'USER': env['PGUSER'], 'PASSWORD': env['PGPASSWORD'], 'HOST': env['PGHOST'],
    'PORT': env['PGPORT'], 'OPTIONS': {'sslmode': env['PGSSLMODE'], 'options': '-c search_path=shop,public'}}}, USE_TZ=True, INSTALLED_APPS=[])
django.setup()
out = io.StringIO()
call_command('inspectdb', include_partitions=True, include_views=True, stdout=out)
print(out.getvalue())
i = connection.introspection
with connection.cursor() as c:
    print('tables', sorted(i.get_table_list(c)))
    print('names', sorted(connection.introspection.table_names(c, include_views=True)))
    for t in ('customers', 'products', 'orders', 'items', 'events', 'notes'):
        print(t, 'columns', i.get_table_description(c, t))
        print(t, 'relations', i.get_relations(c, t))
        print(t, 'constraints', sorted(i.get_constraints(c, t).items()))
        print(t, 'sequences', i.get_sequences(c, t))
        if hasattr(i, 'get_primary_key_column'):
            print(t, 'key', i.get_primary_key_column(c, t))
from django.db import models


class Customer(models.Model):
    name = models.TextField()
    email = models.TextField()

    class Meta:
        app_label, managed, db_table = 'x', False, 'customers'


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    total = models.DecimalField(max_digits=14, decimal_places=2)
    placed = models.DateTimeField()

    class Meta:
        app_label, managed, db_table = 'x', False, 'orders'


print(list(Customer.objects.filter(name__icontains='tomer 1').order_by('id').values_list('id', 'name', 'email')[:5]))
print(Order.objects.filter(customer__name__startswith='Customer 2').aggregate(models.Sum('total'), models.Count('id'), models.Max('placed')))
print([(o.id, o.customer.name) for o in Order.objects.select_related('customer').order_by('-id')[:3]])
print(list(Order.objects.annotate(day=models.functions.TruncDay('placed')).values('day').annotate(n=models.Count('id')).order_by('day')[:3]))
print(list(Customer.objects.prefetch_related('order_set').order_by('id')[:2].iterator(chunk_size=1)))
print(Customer.objects.filter(pk__in=Order.objects.values('customer')).explain() if False else Customer.objects.filter(pk__in=Order.objects.values('customer')).count())
print('done')
