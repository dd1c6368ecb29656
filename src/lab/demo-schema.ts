/** On every shard, before the rows. `customer` and `reservation` are co-located by `cust_id`. */
export const demoTablesSql = `
create table item (
  item_id  int,
  title    text not null,
  category text not null,
  price    numeric(10,2) not null
);
create table customer (
  cust_id text,
  name    text not null,
  country text not null,
  created date not null
);
create table reservation (
  reserve_id bigint not null,
  cust_id    text not null,
  payment    numeric(10,2) not null,
  item_id    int not null,
  date       date not null
);
create table chat_session (
  id       uuid,
  cust_id  text not null,
  started  timestamptz not null,
  messages int not null
);`;

/** After the rows: an index is built faster than it grows. */
export const demoConstraintsSql = `
alter table item add primary key (item_id);
alter table customer add primary key (cust_id);
alter table reservation add primary key (cust_id, reserve_id);
alter table reservation add foreign key (cust_id) references customer;
alter table reservation add foreign key (item_id) references item;
create index on reservation (date);
alter table chat_session add primary key (id);`;
