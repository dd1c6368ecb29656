/**
 * Each row says by itself which primary acknowledged it, and of which epoch that was: whatever pgweave
 * believed, no two servers may have done so at a time.
 */
export const chaosSchema = `
  create function serving_epoch() returns int language plpgsql as
    'begin return (select max(epoch) from pgweave.epoch); end';
  create table entry (
    id int primary key, note text,
    epoch int default serving_epoch(), port int default inet_server_port());
  create table list (key int primary key, items int[] not null);
  create table setting (name text primary key, value text)`;
