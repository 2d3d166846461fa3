// Prisma's client over its adapter for node-postgres: `prisma generate` makes it from schema.prisma.
import { PrismaPg } from '@prisma/adapter-pg';
import client from '@prisma/client';
import { config, step } from './common.js';

const prisma = new client.PrismaClient({ adapter: new PrismaPg(config) });
await step('prisma find', () => prisma.orders.findMany({ where: { status: 'paid' }, orderBy: { id: 'asc' }, take: 3, include: { customer: true } }));
await step('prisma unique', () => prisma.customers.findUnique({ where: { id: 3 }, include: { orders: { orderBy: { id: 'asc' } } } }));
await step('prisma count', () => prisma.orders.count());
await step('prisma group', () => prisma.orders.groupBy({ by: ['status'], _count: true, _sum: { total: true }, orderBy: { status: 'asc' } }));
await step('prisma text', () => prisma.customers.findMany({ where: { name: { startsWith: 'Customer 1', mode: 'insensitive' } }, orderBy: { id: 'asc' }, select: { id: true } }));
await step('prisma raw', () => prisma.$queryRaw`SELECT region, count(*) FROM shop.orders WHERE id > ${10} GROUP BY 1 ORDER BY 1`);
await step('prisma batch', () => prisma.$transaction([prisma.orders.count(), prisma.customers.count()]));
await step('prisma transaction', () => prisma.$transaction(async (t) => (await t.orders.aggregate({ _max: { id: true } }))._max, { isolationLevel: 'Serializable' }));
await prisma.$disconnect();
console.log('done');
process.exit(0);
