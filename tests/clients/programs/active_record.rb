# ActiveRecord's schema statements and a few of its queries.
require 'active_record'

env = ENV
ActiveRecord::Base.establish_connection(adapter: 'postgresql', host: env['PGHOST'], port: env['PGPORT'], database: env['PGDATABASE'], username: env['PGUSER'],
                                        password: env['PGPASSWORD'], sslmode: env['PGSSLMODE'], sslrootcert: env['PGSSLROOTCERT'], schema_search_path: 'shop,public')
c = ActiveRecord::Base.connection
def say(name)
  value = yield
  value = value.map(&:inspect).sort if value.is_a?(Array)
  puts "#{name} = #{value.is_a?(String) ? value : value.inspect}".gsub(/0x[0-9a-f]+/, '0x')
rescue StandardError => e
  puts "#{name} = ERROR #{e.class} #{e.message.lines.first}"
end
say('version') { c.database_version / 10000 }
%i[tables views data_sources schema_names schema_search_path current_schema current_database encoding collation ctype extensions enum_types
   client_min_messages supports_extensions? active?].each { |m| say(m) { c.public_send(m) } }
%w[customers products orders items events order_totals daily notes shop.customers zzsalaries].each do |t|
  %i[columns primary_key primary_keys indexes foreign_keys table_comment table_options pk_and_sequence_for table_exists? view_exists? check_constraints
     serial_sequence].each { |m| say("#{t} #{m}") { m == :serial_sequence ? c.serial_sequence(t, 'id') : c.public_send(m, t) } }
end
say('schema exists') { [c.schema_exists?('shop'), c.schema_exists?('vault')] }
say('column exists') { [c.column_exists?('customers', 'name'), c.column_exists?('customers', 'zzphone')] }
say('dump') { s = StringIO.new; ActiveRecord::SchemaDumper.dump(c, s); s.string }
class Customer < ActiveRecord::Base; self.table_name = 'customers'; has_many :orders; end
class Order < ActiveRecord::Base; self.table_name = 'orders'; belongs_to :customer; end
say('find') { Customer.find(3).attributes }
say('where') { Order.where(status: 'paid').where('id > ?', 20).order(:id).limit(3).pluck(:id, :total) }
say('join') { Order.joins(:customer).group('customers.country').sum(:total) }
say('includes') { Customer.includes(:orders).where(id: [3, 5]).order(:id).map { |x| [x.id, x.orders.size] } }
say('batches') { n = 0; Order.find_each(batch_size: 30) { n += 1 }; n }
say('hidden') { Customer.where(zzphone: 'x').to_a }
say('savepoint') { Customer.transaction { Customer.transaction(requires_new: true) { Customer.find(3); raise ActiveRecord::Rollback }; Customer.count } }
puts 'done'
