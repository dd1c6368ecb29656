import { isIP, isIPv4 } from 'node:net';

/** An address as a number of `bits`; IPv4 inside of IPv6 (`::ffff:192.0.2.1`) is IPv4. */
export type IpAddress = { readonly bits: 32 | 128; readonly value: bigint };

/** The addresses whose first `prefix` bits are those of `first`. */
export type IpNetwork = {
  readonly first: IpAddress;
  readonly prefix: number;
  /** As it was written. */
  readonly text: string;
};

const mappedPrefix = 0xffffn << 32n;

/** Null when the text is no address; a zone (`%eth0`) is ignored. */
export function parseIpAddress(text: string): IpAddress | null {
  const address = text.split('%', 1)[0] ?? '';
  if (isIPv4(address)) return { bits: 32, value: ipv4Value(address) };
  if (isIP(address) !== 6) return null;
  const value = ipv6Value(address);
  const isMapped = value >> 32n === mappedPrefix >> 32n;
  return isMapped ? { bits: 32, value: value & 0xffff_ffffn } : { bits: 128, value };
}

/** `192.0.2.0/24`, or an address alone. Null when it is neither, or has bits beyond the prefix. */
export function parseIpNetwork(text: string): IpNetwork | null {
  const match = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text);
  const first = parseIpAddress(match?.[1] ?? '');
  if (first === null) return null;
  const prefix = match?.[2] === undefined ? first.bits : Number(match[2]);
  if (prefix > first.bits) return null;
  const hostBits = BigInt(first.bits - prefix);
  return (first.value >> hostBits) << hostBits === first.value ? { first, prefix, text } : null;
}

export function isInNetwork(address: IpAddress, { first, prefix }: IpNetwork): boolean {
  if (address.bits !== first.bits) return false;
  const hostBits = BigInt(first.bits - prefix);
  return address.value >> hostBits === first.value >> hostBits;
}

function ipv4Value(text: string): bigint {
  return text.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function ipv6Value(text: string): bigint {
  const [head = '', tail] = text.split('::');
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = new Array<bigint>(8 - before.length - after.length).fill(0n);
  return [...before, ...zeros, ...after].reduce((value, group) => (value << 16n) | group, 0n);
}

/** 16 bits each; an IPv4 address at the end is two of them. */
function groups(text: string): bigint[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [BigInt(`0x${group}`)];
    const value = ipv4Value(group);
    return [value >> 16n, value & 0xffffn];
  });
}
