/** The keywords and values of a libpq connection string, `key = 'value'` ...; the last of each wins. */
export function readConninfo(conninfo: string): ReadonlyMap<string, string> {
  const pattern = /([a-z_]+)\s*=\s*(?:'((?:\\.|[^'\\])*)'|((?:\\.|[^\s\\])*))/gs;
  return new Map(
    [...conninfo.matchAll(pattern)].map(([, key = '', quoted, plain = '']) => [
      key,
      (quoted ?? plain).replace(/\\(.)/gs, '$1'),
    ]),
  );
}

/** `host:port` that it leads to. */
export function conninfoAddress(conninfo: string): string {
  const options = readConninfo(conninfo);
  const host = options.get('host') ?? options.get('hostaddr') ?? '';
  return `${host}:${options.get('port') ?? '5432'}`;
}

/** The same connection to another server. */
export function pointedTo(
  conninfo: string,
  { host, port }: { readonly host: string; readonly port: number },
): string {
  const options = new Map(readConninfo(conninfo));
  options.delete('hostaddr');
  options.set('host', host);
  options.set('port', String(port));
  return [...options].map(([key, value]) => `${key}=${quoted(value)}`).join(' ');
}

/**
 * A server that does not exist: a standby pointed there receives nothing, fails to connect at once,
 * and keeps all the rest that it was told about its connection.
 */
export const nowhere = { host: '/pgweave-revoked', port: 1 } as const;

/** As a walreceiver chooses it: application_name of primary_conninfo, cluster_name, or its default. */
export function standbyName(conninfo: string, clusterName: string): string {
  const name = readConninfo(conninfo).get('application_name') ?? '';
  if (name !== '') return name;
  return clusterName === '' ? 'walreceiver' : clusterName;
}

function quoted(value: string): string {
  return /^[\w.:/-]+$/.test(value) ? value : `'${value.replace(/[\\']/g, '\\$&')}'`;
}
