import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadParser } from '../../../src/sql/parser.ts';
import type { Wish } from '../../support/scripted-directives.ts';
import { SessionStage, type TraceEvent } from '../../support/session-stage.ts';

// A scenario: lines beginning with `# ` say what it shows, then steps and what they cause, in the
// format of the wire. Scenarios are separated by blank lines.
//
//     client > ...   a client sends these messages in one write; `Startup name=value ...` connects
//     client ! ...   `cancels` what runs, or `leaves`
//     e_o ! ...      `goes on` with what hangs, `drops` its connections, `fails at commit` or
//                    `fails with CODE at ...`, `dies at ...`, `hangs at ...`, `forgets at ...`: the
//                    next statement that begins with these words
//     recovery ! ... finds a transaction `committed` or `rolled back`, from now on
//
// Everything else is written by GOLDEN_ACCEPT=1: per step first what each server connection saw
// (`e_o#2` is the second one to that shard), then what each client got. How the servers answer is
// said by comments in the SQL: see ScriptedShard.

type Step = { readonly line: string; readonly expected: readonly string[] };
type Scenario = { readonly comment: string; readonly steps: readonly Step[] };

const directory = import.meta.dirname;
const accept = process.env['GOLDEN_ACCEPT'] === '1';
const stepLine = /^(\w+) (!|>) (.*)$/;
const clientNames = ['client', 'other', 'third'];

function isStep(line: string): boolean {
  const match = stepLine.exec(line);
  return match !== null && (match[2] === '!' || clientNames.includes(match[1] ?? ''));
}

function scenariosOf(text: string): readonly Scenario[] {
  return text
    .split(/\n\n+/)
    .filter((block) => block.trim() !== '')
    .map((block) => {
      const comments: string[] = [];
      const steps: { line: string; expected: string[] }[] = [];
      for (const line of block.trimEnd().split('\n')) {
        if (line.startsWith('# ')) comments.push(line);
        else if (isStep(line)) steps.push({ line, expected: [] });
        else steps.at(-1)?.expected.push(line);
      }
      return { comment: comments.join('\n'), steps };
    });
}

/** Names that pgweave makes up differ from run to run: numbered by their first appearance. */
class Names {
  readonly #numbers = new Map<string, number>();

  plain(text: string): string {
    return text.replace(/pgweave_[\w-]{20,}/g, (name) => {
      if (!this.#numbers.has(name)) this.#numbers.set(name, this.#numbers.size + 1);
      return `pgweave_${this.#numbers.get(name)}`;
    });
  }
}

/** Servers first, then clients; messages of one direction that follow each other in one line. */
function linesOf(events: readonly TraceEvent[], names: Names): string[] {
  const isClient = (actor: string) => clientNames.includes(actor);
  const actors = [...new Set(events.map(({ actor }) => actor))].sort((left, right) => {
    if (isClient(left) !== isClient(right)) return isClient(left) ? 1 : -1;
    return left < right ? -1 : 1;
  });
  const lines: string[] = [];
  for (const actor of actors) {
    let arrow = '';
    for (const event of events.filter((each) => each.actor === actor)) {
      const text = names.plain(event.text);
      if (event.arrow === arrow) lines.push(`${lines.pop()}, ${text}`);
      else lines.push(`${actor} ${event.arrow} ${text}`);
      ({ arrow } = event);
    }
  }
  return lines.map(withoutManyRows);
}

/** `DataRow 1, DataRow 2, DataRow 3, DataRow 4` becomes `4 DataRow 1 ... 4`. */
function withoutManyRows(line: string): string {
  return line.replace(/DataRow [^,]+(?:, DataRow [^,]+){9,}/g, (rows) => {
    const values = rows.split(', ').map((row) => row.slice('DataRow '.length));
    return `${values.length} DataRow ${values[0]} ... ${values.at(-1)}`;
  });
}

async function play(stage: SessionStage, line: string): Promise<void> {
  const [, actor = '', arrow, text = ''] = stepLine.exec(line) ?? [];
  const startup = /^Startup ?(.*)$/.exec(text);
  if (startup !== null) {
    const parameters = (startup[1] ?? '').split(/ (?=\w+=)/).filter((word) => word !== '');
    stage.connect(actor, Object.fromEntries(parameters.map((word) => word.split(/=(.*)/, 2))));
    return;
  }
  if (clientNames.includes(actor) && !stage.clients.has(actor)) await stage.login(actor);
  if (arrow === '>') stage.send(actor, text);
  else if (text === 'cancels') stage.cancel(actor);
  else if (text === 'leaves') stage.clients.get(actor)?.socket.destroy();
  else if (actor === 'recovery') {
    stage.recovered = text === 'committed' ? 'committed' : 'rolled-back';
  } else {
    const shard = stage.shard(actor);
    if (shard === undefined) throw new Error(`no shard ${actor}`);
    if (text === 'goes on') shard.goOn();
    else if (text === 'drops') shard.dropAll();
    else {
      const [, verb, code = '23503', words = ''] =
        /^(fails|dies|hangs|forgets)(?: with (\w+))? at (.+)$/.exec(text) ?? [];
      if (verb === undefined) throw new Error(`what is "${text}"?`);
      const wish = verb === 'fails' ? { fails: code } : (verb as Wish);
      shard.directives.at = { words, wish };
    }
  }
}

async function perform(scenario: Scenario): Promise<string> {
  const stage = await SessionStage.start();
  const names = new Names();
  const lines = [scenario.comment];
  try {
    for (const { line, expected } of scenario.steps) {
      stage.events = [];
      await play(stage, line);
      const quietMs = accept ? 60 : 4;
      // What is expected is waited for; only what is not expected could come too late.
      await stage.settle(
        (events) => accept || sizeOf(events) >= expected.join(', ').length,
        quietMs,
      );
      lines.push(line, ...linesOf(stage.events, names));
    }
  } finally {
    await stage.stop();
  }
  return lines.join('\n');
}

/** A lower bound of the text's length would do; this one is it, but for names that are cut. */
function sizeOf(events: readonly TraceEvent[]): number {
  return linesOf(events, new Names()).join(', ').length;
}

beforeAll(loadParser);

for (const file of readdirSync(directory).filter((name) => name.endsWith('.txt'))) {
  const path = join(directory, file);
  const scenarios = scenariosOf(readFileSync(path, 'utf8'));
  describe(file, () => {
    it.skipIf(!accept)(
      'is rewritten',
      async () => {
        const texts: string[] = [];
        // The first one of all is slow, and what comes late is taken for the next step's.
        for (const scenario of scenarios.slice(0, 1)) await perform(scenario);
        for (const scenario of scenarios) texts.push(`${await perform(scenario)}\n`);
        writeFileSync(path, texts.join('\n'));
      },
      120_000,
    );
    for (const scenario of accept ? [] : scenarios) {
      it(scenario.comment.replaceAll('# ', ''), async () => {
        expect(scenario.comment).not.toBe('');
        const lines = scenario.steps.flatMap(({ line, expected }) => [line, ...expected]);
        expect(await perform(scenario)).toBe([scenario.comment, ...lines].join('\n'));
      });
    }
  });
}
