/** The eight tables in the order in which they are loaded. */
export const tableNames = [
  ...([
    'region',
    'nation',
    'supplier',
    'part',
    'partsupp',
    'customer',
    'orders',
    'lineitem',
  ] as const),
] as const;
export type TableName = (typeof tableNames)[number];

/** Column name and type, and what follows them in CREATE TABLE. */
type Definition = { readonly columns: readonly string[]; readonly constraints: readonly string[] };

export const definitions: { readonly [Table in TableName]: Definition } = {
  region: {
    columns: ['r_regionkey int', 'r_name char(25)', 'r_comment varchar(152)'],
    constraints: ['primary key (r_regionkey)'],
  },
  nation: {
    columns: ['n_nationkey int', 'n_name char(25)', 'n_regionkey int', 'n_comment varchar(152)'],
    constraints: ['primary key (n_nationkey)'],
  },
  supplier: {
    columns: [
      ...['s_suppkey int', 's_name char(25)', 's_address varchar(40)', 's_nationkey int'],
      ...['s_phone char(15)', 's_acctbal decimal(15,2)', 's_comment varchar(101)'],
    ],
    constraints: ['primary key (s_suppkey)'],
  },
  part: {
    columns: [
      ...['p_partkey int', 'p_name varchar(55)', 'p_mfgr char(25)', 'p_brand char(10)'],
      ...['p_type varchar(25)', 'p_size int', 'p_container char(10)'],
      ...['p_retailprice decimal(15,2)', 'p_comment varchar(23)'],
    ],
    constraints: ['primary key (p_partkey)'],
  },
  partsupp: {
    columns: [
      ...['ps_partkey int', 'ps_suppkey int', 'ps_availqty int', 'ps_supplycost decimal(15,2)'],
      'ps_comment varchar(199)',
    ],
    constraints: ['primary key (ps_partkey, ps_suppkey)'],
  },
  customer: {
    columns: [
      ...['c_custkey int', 'c_name varchar(25)', 'c_address varchar(40)', 'c_nationkey int'],
      ...['c_phone char(15)', 'c_acctbal decimal(15,2)', 'c_mktsegment char(10)'],
      'c_comment varchar(117)',
    ],
    constraints: ['primary key (c_custkey)'],
  },
  orders: {
    columns: [
      ...['o_orderkey int', 'o_custkey int', 'o_orderstatus char(1)', 'o_totalprice decimal(15,2)'],
      ...['o_orderdate date', 'o_orderpriority char(15)', 'o_clerk char(15)', 'o_shippriority int'],
      'o_comment varchar(79)',
    ],
    constraints: ['primary key (o_orderkey)'],
  },
  lineitem: {
    columns: [
      ...['l_orderkey int', 'l_partkey int', 'l_suppkey int', 'l_linenumber int'],
      ...['l_quantity decimal(15,2)', 'l_extendedprice decimal(15,2)', 'l_discount decimal(15,2)'],
      ...['l_tax decimal(15,2)', 'l_returnflag char(1)', 'l_linestatus char(1)', 'l_shipdate date'],
      ...['l_commitdate date', 'l_receiptdate date', 'l_shipinstruct char(25)'],
      ...['l_shipmode char(10)', 'l_comment varchar(44)'],
    ],
    constraints: ['primary key (l_orderkey, l_linenumber)'],
  },
};

/** Made before the rows; all columns NOT NULL, as the specification has them. */
export const schemaSql = tableNames
  .map((table) => {
    const { columns, constraints } = definitions[table];
    const parts = [...columns.map((column) => `${column} not null`), ...constraints];
    return `create table ${table} (${parts.join(', ')})`;
  })
  .join('; ');

/** Made after the rows. Without them some correlated subqueries read a table once per row. */
export const indexesSql = `
  create index on partsupp (ps_suppkey);
  create index on orders (o_custkey);
  create index on lineitem (l_partkey, l_suppkey);
  create index on customer (c_nationkey);
  create index on supplier (s_nationkey)`;

/** By the name in pgweave's configuration: what is distributed, by which column. The rest are reference tables. */
export const keys: { readonly [Table in TableName]?: { distribution: string; key: string } } = {
  orders: { distribution: 'order', key: 'o_orderkey' },
  lineitem: { distribution: 'order', key: 'l_orderkey' },
  customer: { distribution: 'customer', key: 'c_custkey' },
  part: { distribution: 'part', key: 'p_partkey' },
  partsupp: { distribution: 'part', key: 'ps_partkey' },
  supplier: { distribution: 'supplier', key: 's_suppkey' },
};
