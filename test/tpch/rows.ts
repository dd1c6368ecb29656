import { type Random, seededRandom } from '../support/random.ts';
import type { TableName } from './tables.ts';
import * as words from './words.ts';

/** Values in PostgreSQL's text form, in the order of the table's columns. */
export type Row = readonly string[];
export type Rows = { readonly [Table in TableName]: readonly Row[] };

const suppliersPerPart = 4;
const dayMs = 86_400_000;
const firstOrderDay = Date.UTC(1992, 0, 1) / dayMs;
const lastOrderDay = Date.UTC(1998, 7, 2) / dayMs;
/** TPC-H's CURRENTDATE: what is received later is not yet paid for. */
const currentDay = Date.UTC(1995, 5, 17) / dayMs;

/**
 * The tables as TPC-H's specification populates them (clause 4.2.3), in spirit: its sizes, keys,
 * formulas and distributions, but comments of fewer words, and, so that all queries have rows at
 * any scale, more of the rare parts and large orders that they look for. The same for the same scale;
 * 1 would be a gigabyte.
 */
export function tpchRows(scale: number): Rows {
  const random = seededRandom(19_920_101);
  const count = (atScaleOne: number) => Math.max(1, Math.round(atScaleOne * scale));
  const sizes: Sizes = {
    suppliers: count(10_000),
    parts: count(200_000),
    customers: count(150_000),
    orders: count(1_500_000),
  };
  const partKeys = keysUpTo(sizes.parts);
  const sold = orderRows(sizes, random);
  return {
    region: words.regions.map((name, key) => [String(key), name, comment(random)]),
    nation: words.nations.map(([name, region], key) => {
      return [String(key), name, String(region), comment(random)];
    }),
    supplier: keysUpTo(sizes.suppliers).map((key) => supplierRow(key, random)),
    part: partKeys.map((key) => partRow(key, random)),
    partsupp: partKeys.flatMap((part) => supplyRows(part, sizes.suppliers, random)),
    customer: keysUpTo(sizes.customers).map((key) => customerRow(key, random)),
    ...sold,
  };
}

type Sizes = {
  readonly suppliers: number;
  readonly parts: number;
  readonly customers: number;
  readonly orders: number;
};

function supplierRow(key: number, random: Random): Row {
  const nation = random.integer(0, words.nations.length - 1);
  const text = key % 20 === 3 ? 'sly Customer bold Complaints' : comment(random);
  const name = `Supplier#${padded(key, 9)}`;
  return [String(key), name, address(random), String(nation), phone(nation, random)].concat(
    balance(random),
    text,
  );
}

function partRow(key: number, random: Random): Row {
  const maker = random.integer(1, 5);
  const usual = {
    name: Array.from({ length: 5 }, () => random.pick(words.colors)).join(' '),
    brand: `Brand#${maker}${random.integer(1, 5)}`,
    type: [words.typeSizes, words.typeCoats, words.typeMetals].map(random.pick<string>).join(' '),
    size: random.integer(1, 50),
    container: `${random.pick(words.containerSizes)} ${random.pick(words.containerKinds)}`,
  };
  const { name, brand, type, size, container } = { ...usual, ...soughtPart(key) };
  const price = cents(retailPrice(key));
  return [
    ...[String(key), name, `Manufacturer#${maker}`, brand, type, String(size), container],
    ...[price, comment(random).slice(0, 23)],
  ];
}

/** Parts that queries look for and that are rarer than one in 500 otherwise. */
function soughtPart(key: number): object {
  switch (key % 80) {
    case 7:
      return { brand: 'Brand#23', container: 'MED BOX' };
    case 17:
      return { type: 'LARGE PLATED BRASS', size: 15 };
    case 27:
      return { type: 'ECONOMY ANODIZED STEEL' };
    case 37:
      return { name: 'forest green peru tan sky' };
    case 47:
      return { brand: 'Brand#12', container: 'SM BOX', size: 3 };
    case 57:
      return { brand: 'Brand#34', container: 'LG PKG', size: 11 };
    default:
      return {};
  }
}

function supplyRows(part: number, suppliers: number, random: Random): readonly Row[] {
  const found = keysUpTo(suppliersPerPart).map((which) => supplierOf(part, which, suppliers));
  return [...new Set(found)].map((supplier) => {
    const quantity = random.integer(1, 9999);
    const cost = cents(random.integer(100, 100_000));
    return [String(part), String(supplier), String(quantity), cost, comment(random)];
  });
}

function customerRow(key: number, random: Random): Row {
  const nation = random.integer(0, words.nations.length - 1);
  const name = `Customer#${padded(key, 9)}`;
  return [
    ...[String(key), name, address(random), String(nation), phone(nation, random)],
    ...[balance(random), random.pick(words.segments), comment(random)],
  ];
}

function orderRows(sizes: Sizes, random: Random): Pick<Rows, 'orders' | 'lineitem'> {
  const orders: Row[] = [];
  const lineitem: Row[] = [];
  for (let number = 0; number < sizes.orders; number++) {
    // Eight keys in use, 24 not.
    const key = Math.floor(number / 8) * 32 + (number % 8) + 1;
    const isLarge = number % 400 === 5;
    const day = random.integer(firstOrderDay, lastOrderDay - 121);
    const lines = Array.from({ length: isLarge ? 7 : random.integer(1, 7) }, (_, line) =>
      lineOf({ key, line, day, isLarge, sizes }, random),
    );
    lineitem.push(...lines.map(({ row }) => row));
    const open = lines.filter(({ isOpen }) => isOpen).length;
    const status = open === 0 ? 'F' : open === lines.length ? 'O' : 'P';
    const total = lines.reduce((sum, { price }) => sum + price, 0);
    const clerk = `Clerk#${padded(random.integer(1, Math.max(1, sizes.suppliers / 10)), 9)}`;
    const text = random.integer(1, 60) === 1 ? 'the special slow requests' : comment(random);
    orders.push([
      ...[String(key), String(payingCustomer(sizes.customers, random)), status, cents(total)],
      ...[dateText(day), random.pick(words.priorities), clerk, '0', text],
    ]);
  }
  return { orders, lineitem };
}

type Line = { readonly row: Row; readonly price: number; readonly isOpen: boolean };

function lineOf(
  order: {
    readonly key: number;
    readonly line: number;
    readonly day: number;
    readonly isLarge: boolean;
    readonly sizes: Sizes;
  },
  random: Random,
): Line {
  const { suppliers, parts } = order.sizes;
  const part = random.integer(1, parts);
  const supplier = supplierOf(part, random.integer(1, suppliersPerPart), suppliers);
  const quantity = order.isLarge ? random.integer(44, 50) : random.integer(1, 50);
  const price = quantity * retailPrice(part);
  const discount = random.integer(0, 10);
  const tax = random.integer(0, 8);
  const shipped = order.day + random.integer(1, 121);
  const committed = order.day + random.integer(30, 90);
  const received = shipped + random.integer(1, 30);
  const returned = received <= currentDay ? random.pick(['R', 'A']) : 'N';
  const isOpen = shipped > currentDay;
  const row = [
    ...[String(order.key), String(part), String(supplier), String(order.line + 1)],
    ...[String(quantity), cents(price), cents(discount), cents(tax), returned, isOpen ? 'O' : 'F'],
    ...[dateText(shipped), dateText(committed), dateText(received)],
    ...[random.pick(words.shipInstructions), random.pick(words.shipModes)],
    comment(random).slice(0, 44),
  ];
  const charged = Math.round((price * (100 + tax) * (100 - discount)) / 10_000);
  return { row, price: charged, isOpen };
}

/** A third of the customers never buys. */
function payingCustomer(customers: number, random: Random): number {
  for (;;) {
    const key = random.integer(1, customers);
    if (key % 3 !== 0 || customers < 3) return key;
  }
}

/** The specification's formula: spreads a part's suppliers over all of them. `which` from 1. */
function supplierOf(part: number, which: number, suppliers: number): number {
  const step = Math.floor(suppliers / suppliersPerPart) + Math.floor((part - 1) / suppliers);
  return ((part + (which - 1) * step) % suppliers) + 1;
}

/** In cents. */
function retailPrice(part: number): number {
  return 90_000 + (Math.floor(part / 10) % 20_001) + 100 * (part % 1000);
}

function balance(random: Random): string {
  return cents(random.integer(-99_999, 999_999));
}

function phone(nation: number, random: Random): string {
  const part = (low: number, high: number) => String(random.integer(low, high));
  return `${nation + 10}-${part(100, 999)}-${part(100, 999)}-${part(1000, 9999)}`;
}

function address(random: Random): string {
  return random.bytes(random.integer(5, 15)).toString('base64url');
}

function comment(random: Random): string {
  return Array.from({ length: 4 }, () => random.pick(words.commentWords)).join(' ');
}

function keysUpTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

function padded(value: number, digits: number): string {
  return String(Math.floor(value)).padStart(digits, '0');
}

function cents(value: number): string {
  const sign = value < 0 ? '-' : '';
  const digits = String(Math.abs(value)).padStart(3, '0');
  return `${sign}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

function dateText(day: number): string {
  return new Date(day * dayMs).toISOString().slice(0, 10);
}
