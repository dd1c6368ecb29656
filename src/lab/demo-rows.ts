import { demoNames } from './demo-names.ts';
import { type DemoRandom, demoRandom } from './demo-random.ts';

/** Values as PostgreSQL reads them; rows in the order of the table's columns. */
export type DemoRow = readonly string[];

export type DemoCustomer = {
  readonly customer: DemoRow;
  readonly custId: string;
  /** All of this customer, in the order of their dates. */
  readonly reservations: readonly DemoRow[];
};

export type DemoChatSession = { readonly id: string; readonly row: DemoRow };

export type DemoRows = {
  readonly items: readonly DemoRow[];
  readonly customers: readonly DemoCustomer[];
  readonly chatSessions: readonly DemoChatSession[];
};

const customersCount = 4_000;
const chatSessionsCount = 20_000;
export const demoReservationsCount = 200_000;
const firstDay = Date.UTC(2022, 0, 1) / 86_400_000;
const daysCount = 4 * 365 + 1;

/** Four years of a booking service: 2022 to 2025, the same rows each time. */
export function demoRows(): DemoRows {
  const random = demoRandom(20_220_101);
  const items = demoItems(random);
  const prices = items.map(([, , , price]) => Math.round(Number(price) * 100));
  const customers = demoCustomers(random);
  const reservations = demoReservations(random, customers, prices);
  return {
    items,
    customers: customers.map((customer, index) => ({
      customer,
      custId: customer[0] ?? '',
      reservations: reservations[index] ?? [],
    })),
    chatSessions: demoChatSessions(random, customers),
  };
}

const cities = [
  'Seoul',
  'Busan',
  'Jeju',
  'Tokyo',
  'Kyoto',
  'Đà Nẵng',
  'Zürich',
  'Paris',
  'Lisboa',
  'København',
  'Kraków',
  'Firenze',
  'New York',
  'São Paulo',
  'Nairobi',
  'Reykjavík',
] as const;

const offers = [
  { title: 'Hotel night', category: 'hotel', lowest: 60, highest: 320 },
  { title: 'Hostel bed', category: 'hotel', lowest: 18, highest: 45 },
  { title: 'Flight', category: 'flight', lowest: 90, highest: 900 },
  { title: 'Train ticket', category: 'rail', lowest: 12, highest: 140 },
  { title: 'City walk', category: 'tour', lowest: 15, highest: 60 },
  { title: 'Museum pass', category: 'ticket', lowest: 20, highest: 75 },
  { title: 'Cooking class', category: 'tour', lowest: 35, highest: 110 },
  { title: 'Concert', category: 'ticket', lowest: 25, highest: 180 },
] as const;

function demoItems(random: DemoRandom): DemoRow[] {
  const titles = cities.flatMap((city) => offers.map((offer) => ({ city, offer })));
  return titles.map(({ city, offer }, index) => [
    String(index + 1),
    `${offer.title}, ${city}`,
    offer.category,
    money(random.integer(offer.lowest * 100, offer.highest * 100)),
  ]);
}

function demoCustomers(random: DemoRandom): DemoRow[] {
  return Array.from({ length: customersCount }, (_, index) => {
    const { idPrefix, fullName, country } = demoNames[index % demoNames.length] ?? demoNames[0];
    const number = Math.floor(index / demoNames.length) + 1;
    const custId = `${idPrefix}-${String(number).padStart(4, '0')}`;
    return [custId, fullName, country, day(random.integer(-700, 0))];
  });
}

/** By customer. A few customers book often, most now and then; summers and Decembers are busy. */
function demoReservations(
  random: DemoRandom,
  customers: readonly DemoRow[],
  prices: readonly number[],
): DemoRow[][] {
  const byCustomer = customers.map((): DemoRow[] => []);
  const dates = Array.from({ length: demoReservationsCount }, () => busyDay(random));
  dates.sort((a, b) => a - b);
  for (const [index, date] of dates.entries()) {
    const chosen = Math.floor(random.fraction() ** 1.6 * customers.length);
    const item = random.integer(0, prices.length - 1);
    const payment = (prices[item] ?? 0) * random.integer(1, 4) - random.integer(0, 500);
    const custId = customers[chosen]?.[0] ?? '';
    byCustomer[chosen]?.push([
      String(index + 1),
      custId,
      money(payment),
      String(item + 1),
      day(date),
    ]);
  }
  return byCustomer;
}

function busyDay(random: DemoRandom): number {
  const date = random.integer(0, daysCount - 1);
  const month = new Date((firstDay + date) * 86_400_000).getUTCMonth();
  const busy = month === 6 || month === 7 || month === 11;
  return busy || random.fraction() < 0.6 ? date : random.integer(0, daysCount - 1);
}

function demoChatSessions(random: DemoRandom, customers: readonly DemoRow[]): DemoChatSession[] {
  return Array.from({ length: chatSessionsCount }, () => {
    const id = uuid(random);
    const custId = customers[random.integer(0, customers.length - 1)]?.[0] ?? '';
    const started = `${day(random.integer(0, daysCount - 1))} ${two(random.integer(0, 23))}:${two(random.integer(0, 59))}:00+00`;
    return { id, row: [id, custId, started, String(random.integer(1, 80))] };
  });
}

function uuid(random: DemoRandom): string {
  const digits = Array.from({ length: 32 }, () => random.integer(0, 15).toString(16));
  digits[12] = '4';
  digits[16] = 'a';
  return digits.join('').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** Days since the first of the four years. */
function day(offset: number): string {
  return new Date((firstDay + offset) * 86_400_000).toISOString().slice(0, 10);
}

function money(cents: number): string {
  return `${Math.floor(cents / 100)}.${two(cents % 100)}`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
