// Sequelize and TypeORM: what they read, and what they find out about tables.
import 'reflect-metadata';
import { DataTypes, Op, Sequelize } from 'sequelize';
import { DataSource, EntitySchema } from 'typeorm';
import { config, ssl, step } from './common.js';

const TABLES = ['customers', 'orders', 'items', 'products'];

async function withSequelize() {
  const s = new Sequelize(config.database, config.user, config.password,
    { host: config.host, port: config.port, dialect: 'postgres', dialectOptions: { ssl }, logging: false });
  const q = s.getQueryInterface();
  const known = (name) => !name.startsWith('zz') && !name.startsWith('vault');
  await step('sequelize schemas', async () => (await s.showAllSchemas()).filter(known).sort());
  await step('sequelize tables', async () => (await q.showAllTables()).map((t) => t.tableName ?? t).filter(known).sort());
  for (const tableName of TABLES) {
    const table = { tableName, schema: 'shop' };
    await step(`sequelize describe ${tableName}`, async () =>
      Object.entries(await q.describeTable(tableName, { schema: 'shop' })).filter(([name]) => known(name)));
    await step(`sequelize indexes ${tableName}`, async () => (await q.showIndex(table)).filter((i) => known(i.name)).map((i) => [i.name, i.unique, i.primary, i.fields]).sort());
    await step(`sequelize keys ${tableName}`, async () => (await q.getForeignKeyReferencesForTable(table)).map((k) => [k.constraintName, k.columnName, k.referencedTableName]));
  }
  const Order = s.define('orders', { id: { type: DataTypes.BIGINT, primaryKey: true }, customer_id: DataTypes.INTEGER, status: DataTypes.STRING,
    total: DataTypes.DECIMAL }, { schema: 'shop', timestamps: false });
  const Customer = s.define('customers', { id: { type: DataTypes.INTEGER, primaryKey: true }, name: DataTypes.STRING, email: DataTypes.STRING,
    tags: DataTypes.ARRAY(DataTypes.STRING) }, { schema: 'shop', timestamps: false });
  Order.belongsTo(Customer, { foreignKey: 'customer_id' });
  Customer.hasMany(Order, { foreignKey: 'customer_id' });
  await step('sequelize find', async () => (await Order.findAll({ where: { status: 'paid' }, order: ['id'], limit: 3, include: Customer })).map((o) => o.toJSON()));
  await step('sequelize count', async () => (await Customer.findAndCountAll({ include: Order, order: ['id'], limit: 2 })).count);
  await step('sequelize group', () => Order.findAll({ attributes: ['status', [s.fn('count', s.col('id')), 'n']], group: 'status', order: ['status'], raw: true }));
  await step('sequelize like', () => Customer.count({ where: { name: { [Op.iLike]: 'customer 1%' } } }));
  await step('sequelize transaction', () => s.transaction({ isolationLevel: 'SERIALIZABLE' }, async (transaction) => (await Order.findByPk(2, { transaction })).toJSON()));
  await s.close();
}

async function withTypeorm() {
  const d = new DataSource({ type: 'postgres', host: config.host, port: config.port, username: config.user, password: config.password,
    database: config.database, ssl, schema: 'shop', installExtensions: false, logging: false,
    entities: [new EntitySchema({ name: 'Order', tableName: 'orders', schema: 'shop', columns: {
      id: { type: 'bigint', primary: true }, customer_id: { type: 'int' }, total: { type: 'numeric', nullable: true } } })] });
  await d.initialize();
  const orders = d.getRepository('Order');
  await step('typeorm find', () => orders.find({ where: { customer_id: 3 }, order: { id: 'ASC' } }));
  await step('typeorm page', () => orders.createQueryBuilder('o').where('o.id IN (:...ids)', { ids: [2, 4, 5, 6] }).orderBy('o.id').skip(1).take(1).getManyAndCount());
  const runner = d.createQueryRunner();
  const known = (x) => !JSON.stringify(x).includes('zz');
  for (const name of [...TABLES.map((t) => `shop.${t}`), 'public.notes', 'shop.order_totals']) {
    await step(`typeorm ${name}`, async () => {
      const t = await runner.getTable(name);
      return t && { columns: t.columns.map((c) => [c.name, c.type, c.isNullable, c.isPrimary, c.default ?? null, c.enum ?? null, c.comment ?? null]).filter(known),
        indices: t.indices.map((i) => [i.name, i.columnNames, i.isUnique]).filter(known), keys: t.foreignKeys.map((f) => [f.name, f.columnNames, f.onDelete]) };
    });
  }
  await step('typeorm has', async () => [await runner.hasTable('shop.orders'), await runner.hasTable('shop.nosuch'), await runner.hasDatabase('wh')]);
  await step('typeorm where', async () => [await runner.getCurrentSchema(), await runner.getCurrentDatabase()]);
  await runner.release();
  await d.destroy();
}

await withSequelize();
await withTypeorm();
console.log('done');
process.exit(0);
