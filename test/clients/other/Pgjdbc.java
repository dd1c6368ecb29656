import java.math.BigDecimal;
import java.sql.*;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.*;
import java.util.concurrent.Callable;

/** Prints a line of JSON for each thing that pgjdbc saw; run as a single file. */
public class Pgjdbc {
  static final String client = System.getenv("CLIENT");
  static final List<String> customers = List.of("Adam-of-" + client, "Kim-of-" + client, "Pia-of-" + client, "Zoe-of-" + client);
  static final String adam = customers.get(0), kim = customers.get(1), pia = customers.get(2);
  static final UUID sampleId = UUID.nameUUIDFromBytes(client.getBytes());
  static final String longReport = "select sum(length(cust_id) + g) from reservation, generate_series(1, 100000000) g";
  static String url;
  static Connection session;

  static String json(Object value) {
    if (value instanceof Map<?, ?> map) {
      StringJoiner fields = new StringJoiner(",", "{", "}");
      map.forEach((key, each) -> fields.add(json(key) + ":" + json(each)));
      return fields.toString();
    }
    if (value instanceof Iterable<?> list) {
      StringJoiner entries = new StringJoiner(",", "[", "]");
      list.forEach(each -> entries.add(json(each)));
      return entries.toString();
    }
    if (value == null) return "null";
    StringBuilder text = new StringBuilder("\"");
    for (char each : value.toString().toCharArray()) {
      if (each < 32 || each == '"' || each == '\\' || each > 126) text.append(String.format("\\u%04x", (int) each));
      else text.append(each);
    }
    return text.append('"').toString();
  }

  static void tell(String name, Callable<Object> look) {
    Object seen;
    try {
      seen = look.call();
    } catch (Exception error) {
      String state = error instanceof SQLException sql ? String.valueOf(sql.getSQLState()) : "none";
      seen = new TreeMap<>(Map.of("error", state, "message", String.valueOf(error.getMessage())));
    }
    System.out.println("{\"name\":" + json(name) + ",\"seen\":" + json(seen) + "}");
  }

  static Object failureOf(Callable<Object> act) {
    try {
      act.call();
      return "no error";
    } catch (org.postgresql.util.PSQLException error) {
      var fields = error.getServerErrorMessage();
      return Arrays.asList(error.getSQLState(), fields == null ? null : fields.getConstraint(), error.getMessage());
    } catch (Exception error) {
      return error.toString();
    }
  }

  static Object plain(Object value) throws SQLException {
    if (value instanceof byte[] bytes) return HexFormat.of().formatHex(bytes);
    if (value instanceof java.sql.Array array) return Arrays.toString((Object[]) array.getArray());
    return value;
  }

  static List<Object> read(ResultSet rows) throws SQLException {
    List<Object> all = new ArrayList<>();
    while (rows.next()) {
      List<Object> row = new ArrayList<>();
      for (int column = 1; column <= rows.getMetaData().getColumnCount(); column++) row.add(plain(rows.getObject(column)));
      all.add(row);
    }
    return all;
  }

  static Object run(String text, Object... values) throws SQLException {
    try (PreparedStatement statement = session.prepareStatement(text)) {
      for (int index = 0; index < values.length; index++) statement.setObject(index + 1, values[index]);
      return statement.execute() ? read(statement.getResultSet()) : statement.getUpdateCount();
    }
  }

  public static void main(String[] arguments) throws Exception {
    url = String.format("jdbc:postgresql://%s:%s/%s?user=%s&password=%s&sslmode=verify-full&sslrootcert=%s&preferQueryMode=%s",
        System.getenv("PGHOST"), System.getenv("PGPORT"), System.getenv("PGDATABASE"), System.getenv("PGUSER"),
        System.getenv("PGPASSWORD"), System.getenv("PGSSLROOTCERT"), arguments[0]);
    session = DriverManager.getConnection(url);
    System.out.println("{\"version\":" + json(session.getMetaData().getDriverVersion()) + "}");
    readsAndWrites();
    transactions();
    batchesAndStreams();
    failures();
    session.close();
  }

  static void readsAndWrites() {
    tell("connect", () -> List.of(session.getMetaData().getDatabaseProductName(), run("select current_user")));
    tell("login", () -> {
      String holder = url.replace("user=" + System.getenv("PGUSER"), "user=holder")
          + "&sslcert=" + System.getenv("HOLDER_CERTIFICATE") + "&sslkey=" + System.getenv("HOLDER_KEY_DER");
      try (Connection other = DriverManager.getConnection(holder); ResultSet found = other.createStatement().executeQuery("select current_user")) {
        return read(found);
      }
    });
    tell("introspection", () -> {
      DatabaseMetaData metadata = session.getMetaData();
      List<Object> seen = new ArrayList<>();
      try (ResultSet tables = metadata.getTables(null, "public", "%", new String[] {"TABLE"})) {
        while (tables.next()) if (!tables.getString(3).contains("_note")) seen.add(tables.getString(3));
      }
      try (ResultSet columns = metadata.getColumns(null, "public", "reservation", null)) {
        while (columns.next()) seen.add(List.of(columns.getString(4), columns.getString(6), columns.getInt(7), columns.getString(18)));
      }
      for (ResultSet rows : List.of(metadata.getPrimaryKeys(null, "public", "reservation"), metadata.getImportedKeys(null, "public", "reservation"),
          metadata.getIndexInfo(null, "public", "reservation", false, true), metadata.getSchemas(null, "public"))) {
        while (rows.next()) seen.add(rows.getString(rows.getMetaData().getColumnCount() > 8 ? 4 : 1));
      }
      return seen;
    });
    tell("migration", () -> List.of(
        run("create table pgjdbc_note (id serial primary key, body text)"), run("alter table pgjdbc_note add column extra int default 5"),
        run("insert into pgjdbc_note (body) values ('x') returning extra"), run("drop table pgjdbc_note")));
    tell("crud", () -> {
      List<Object> seen = new ArrayList<>();
      for (String each : customers) seen.add(run("insert into customer values (?, ?, ?, ?) returning *", each, "x", client, LocalDate.of(2024, 1, 2)));
      seen.add(run("update customer set name = ? where cust_id = ?", "New", kim));
      seen.add(run("select * from customer where country = ? order by cust_id", client));
      seen.add(run("delete from customer where cust_id = ?", "Gone-" + client));
      return seen;
    });
    tell("types", () -> {
      String text = "insert into sample (id, client, small, whole, big, exact, single, twice, flag, words, fixed, bytes, day, moment, instant, tree, mood, numbers, labels)"
          + " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, decode(?, 'hex'), ?, ?, ?, ?::jsonb, ?::mood, ?::int[], ?)";
      run(text, sampleId, client, (short) -7, 42, 9007199254740993L, new BigDecimal("12345678901234567890.0123456789"), 1.5f, 0.1, true,
          "Zoë says \"hi\" \\ 'there'\n", "ab", "00017f80ff", LocalDate.of(2024, 2, 29), Timestamp.valueOf("2024-02-29 12:34:56.789"),
          OffsetDateTime.parse("2024-02-29T12:34:56.789Z"), "{\"a\": [1, null]}", "happy", "{1,NULL,3}",
          session.createArrayOf("text", new String[] {"a", "b,c", "d\"e", ""}));
      List<Object> seen = new ArrayList<>();
      // From the fifth execution on: a server-side statement, binary results.
      for (int round = 0; round < 7; round++) seen.add(run("select * from sample where id = ?", sampleId));
      return seen;
    });
    tell("nulls", () -> List.of(
        run("insert into sample (id, client, words, whole) values (?, ?, ?, ?)", UUID.nameUUIDFromBytes((client + 2).getBytes()), client, null, null),
        run("select count(*), count(words) from sample where client = ?", client)));
    tell("ids", () -> {
      try (PreparedStatement statement = session.prepareStatement("insert into remark (cust_id, body) values (?, 'first')", new String[] {"id"})) {
        statement.setString(1, kim);
        statement.executeUpdate();
        ResultSet keys = statement.getGeneratedKeys();
        keys.next();
        return run("select body from remark where cust_id = ? and id = ?", kim, keys.getLong(1));
      }
    });
    tell("own key", () -> run("update customer set cust_id = ?, name = 'Saved' where cust_id = ?", pia, pia));
    tell("any array", () -> run("select cust_id, name from customer where cust_id = any(?) order by 1", session.createArrayOf("text", customers.toArray())));
    tell("in list", () -> run("select cust_id from customer where cust_id in (?, ?) order by 1", adam, pia));
    tell("exists", () -> run("select exists (select 1 from customer where cust_id = ?)", kim));
    tell("page", () -> List.of(run("select count(*) from customer where country = ?", "Seed"),
        run("select * from customer where country = 'Seed' order by created limit ? offset ?", 5, 10)));
    tell("report", () -> run("select date_trunc('month', date), sum(payment), count(*) from reservation where date < ? group by 1 order by 1", LocalDate.of(2025, 1, 1)));
    tell("join", () -> run("select name, payment, title from customer join reservation using (cust_id) join item using (item_id) where cust_id in (?, ?) order by reserve_id", "Kim-01", "Zoe-03"));
    tell("upsert", () -> {
      String text = "insert into customer values (?, ?, 'upsert', '2024-01-01') on conflict (cust_id) do update set name = excluded.name returning name";
      return List.of(run(text, "Up-" + client, "one"), run(text, "Up-" + client, "two"));
    });
  }

  static void transactions() {
    tell("lock", () -> {
      try (Connection other = DriverManager.getConnection(url)) {
        other.setAutoCommit(false);
        other.createStatement().executeQuery("select 1 from customer where cust_id = '" + kim + "' for update");
        Object error = failureOf(() -> run("select 1 from customer where cust_id = ? for update nowait", kim));
        other.rollback();
        return error;
      }
    });
    tell("savepoint", () -> {
      session.setAutoCommit(false);
      run("update customer set name = 'before' where cust_id = ?", adam);
      Savepoint one = session.setSavepoint("one");
      Object error = failureOf(() -> run("insert into customer (cust_id) values (?)", kim));
      session.rollback(one);
      run("update customer set name = 'after' where cust_id = ?", kim);
      session.commit();
      session.setAutoCommit(true);
      return Arrays.asList(error, run("select name from customer where cust_id in (?, ?) order by 1", adam, kim));
    });
    tell("transaction", () -> {
      session.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
      session.setAutoCommit(false);
      List<Object> seen = new ArrayList<>();
      for (boolean ends : new boolean[] {false, true}) {
        for (int index = 0; index < 4; index++) run("insert into reservation values (?, ?, 10, 1, '2025-01-01')", index, customers.get(index));
        if (ends) session.commit();
        else session.rollback();
        seen.add(run("select count(*), sum(payment) from reservation where cust_id in (?, ?, ?, ?)", customers.toArray()));
        session.commit();
      }
      session.setReadOnly(true);
      seen.add(failureOf(() -> run("update customer set name = 'x' where cust_id = ?", kim)));
      session.rollback();
      session.setReadOnly(false);
      session.setAutoCommit(true);
      return seen;
    });
  }

  static void batchesAndStreams() {
    tell("batch", () -> {
      List<Object> seen = new ArrayList<>();
      try (PreparedStatement statement = session.prepareStatement("insert into reservation values (?, ?, ?, 2, '2025-02-02')")) {
        for (int index = 0; index < 300; index++) {
          statement.setLong(1, 100 + index);
          statement.setString(2, customers.get(index % 4));
          statement.setBigDecimal(3, new BigDecimal(index));
          statement.addBatch();
        }
        seen.add(Arrays.stream(statement.executeBatch()).sum());
        for (long id : new long[] {900, 100, 901}) {
          statement.setLong(1, id);
          statement.setString(2, adam);
          statement.setBigDecimal(3, BigDecimal.ONE);
          statement.addBatch();
        }
        try {
          statement.executeBatch();
        } catch (BatchUpdateException error) {
          seen.add(List.of(error.getSQLState(), Arrays.toString(error.getUpdateCounts())));
        }
      }
      // The driver writes several rows into one INSERT.
      try (Connection rewriting = DriverManager.getConnection(url + "&reWriteBatchedInserts=true");
          PreparedStatement statement = rewriting.prepareStatement("insert into reservation values (?, ?, 1, 2, '2025-02-02')")) {
        for (int index = 0; index < 100; index++) {
          statement.setLong(1, 1000 + index);
          statement.setString(2, customers.get(index % 4));
          statement.addBatch();
        }
        seen.add(statement.executeBatch().length);
      }
      seen.add(run("select count(*) from reservation where cust_id in (?, ?, ?, ?)", customers.toArray()));
      return seen;
    });
    tell("stream", () -> {
      session.setAutoCommit(false);
      List<Object> seen = new ArrayList<>();
      try (PreparedStatement statement = session.prepareStatement("select cust_id, reserve_id from reservation where date < '2025-01-01' order by reserve_id, cust_id")) {
        statement.setFetchSize(300);
        ResultSet rows = statement.executeQuery();
        int count = 0;
        while (rows.next()) if (++count == 1000) seen.add(rows.getString(1) + rows.getLong(2));
        seen.add(count);
      }
      session.commit();
      session.setAutoCommit(true);
      return seen;
    });
    tell("prepared", () -> {
      List<Object> seen = new ArrayList<>();
      try (PreparedStatement statement = session.prepareStatement("select cust_id, country from customer where cust_id = ?")) {
        for (int round = 0; round < 12; round++) {
          statement.setString(1, customers.get(round % 4));
          seen.add(read(statement.executeQuery()));
        }
      }
      return seen;
    });
    tell("copy", () -> {
      var copy = session.unwrap(org.postgresql.PGConnection.class).getCopyAPI();
      long count = copy.copyIn("copy note (body) from stdin", new java.io.StringReader(client + " one\n" + client + " two\n"));
      var out = new java.io.StringWriter();
      copy.copyOut("copy (select body from note where body like '" + client + "%' order by 1) to stdout", out);
      return List.of(count, out.toString());
    });
  }

  static void failures() {
    tell("errors", () -> {
      List<Object> seen = new ArrayList<>();
      for (String text : List.of("insert into customer values ('" + kim + "', 'again', 'x', now())", "select * from nowhere", "select nothing from customer",
          "selec", "select 1 / 0", "insert into reservation values (5000, '" + kim + "', 1, 999, now())")) {
        seen.add(failureOf(() -> run(text)));
      }
      seen.add(failureOf(() -> run("select * from customer where created = ?", "no date")));
      return seen;
    });
    tell("cancel", () -> {
      List<Object> seen = new ArrayList<>();
      for (String text : List.of("select pg_sleep(30)", longReport)) {
        try (Statement statement = session.createStatement()) {
          statement.setQueryTimeout(1);
          seen.add(failureOf(() -> statement.execute(text)));
        }
        seen.add(run("select 1"));
      }
      return seen;
    });
  }
}
