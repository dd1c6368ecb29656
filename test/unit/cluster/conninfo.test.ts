import { describe, expect, it } from 'vitest';
import {
  conninfoAddress,
  nowhere,
  pointedTo,
  readConninfo,
  standbyName,
} from '../../../src/cluster/conninfo.ts';

describe('a connection string', () => {
  it.each([
    ['host=h application_name=b port=1', '', 'b'],
    ["application_name = 'it''s' ", 'c', 'it'],
    ["application_name='a \\'b\\''", '', "a 'b'"],
    ['host=h fallback_application_name=x', 'named', 'named'],
    ['host=h', '', 'walreceiver'],
  ])('names the standby: %s', (conninfo, clusterName, name) => {
    expect(standbyName(conninfo, clusterName)).toBe(name);
  });

  it.each([
    ['host=db1 port=5433 user=x', 'db1:5433'],
    ["user=x host = 'db 1'", 'db 1:5432'],
    ['hostaddr=10.0.0.1 port=1 port=2', '10.0.0.1:2'],
    ['user=x', ':5432'],
  ])('leads somewhere: %s', (conninfo, address) => {
    expect(conninfoAddress(conninfo)).toBe(address);
  });

  it('keeps everything but the address when it is pointed elsewhere', () => {
    const before = "user=r hostaddr=10.0.0.1 host=db1 port=1 password='p w\\'\\\\' options=''";
    const after = pointedTo(before, { host: 'db2', port: 5434 });
    const options = readConninfo(after);
    expect(Object.fromEntries(options)).toEqual({
      user: 'r',
      host: 'db2',
      port: '5434',
      password: "p w'\\",
      options: '',
    });
    expect(readConninfo(pointedTo(after, nowhere)).get('password')).toBe("p w'\\");
  });
});
