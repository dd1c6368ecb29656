import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  Scalar,
} from 'yaml';
import type { ConfigMistake } from './config.ts';
import { activeOverrides, type Environment } from './overrides.ts';

/** YAML without its types: `007` stays '007', `no` stays 'no'; only ~, null and nothing are null. */
export type ConfigValue = string | null | readonly ConfigValue[] | ConfigMapping;
export type ConfigMapping = { readonly [option: string]: ConfigValue };
export type ConfigPath = readonly (string | number)[];

type Place = { readonly line: number; readonly column: number };

const start: Place = { line: 1, column: 1 };
const variablePattern = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;
const remedies: { readonly [code: string]: string } = {
  DUPLICATE_KEY: 'the option is written twice: remove one of the two',
  TAB_AS_INDENT: 'indent with blanks',
};
const nulls = ['', '~', 'null', 'Null', 'NULL'];

/**
 * The text of a configuration as plain values that remember their places, and the list of mistakes
 * found in it so far. `${NAME}` in a value stands for the environment's NAME.
 */
export class ConfigSource {
  readonly mistakes: ConfigMistake[] = [];
  readonly root: ConfigMapping;
  /** False when it is not YAML: then nothing can be said about what it means. */
  readonly isReadable: boolean;
  readonly #environment: Environment;
  readonly #lines = new LineCounter();
  readonly #keyPlaces = new Map<string, Place>();
  readonly #valuePlaces = new Map<string, Place>();
  /** The variable that set an option in place of the text. */
  readonly #variables = new Map<string, string>();
  /** Options whose value lacks a variable: what is wrong with the rest of it says nothing. */
  readonly #incomplete = new Set<string>();

  constructor(text: string, environment: Environment) {
    this.#environment = environment;
    const document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      version: '1.2',
      schema: 'failsafe',
    });
    for (const error of document.errors) {
      const remedy =
        remedies[error.code] ?? 'mend the YAML: look at indentation, quotes and brackets';
      const message = `YAML: ${lowerFirst(error.message)}`;
      this.mistakes.push({ ...this.#place(error.pos[0]), message, remedy });
    }
    this.isReadable = document.errors.every((error) => error.code === 'DUPLICATE_KEY');
    const root = document.contents === null ? null : this.#read(document.contents, []);
    if (!isMapping(root) && this.mistakes.length === 0) {
      this.report([], 'the configuration has no options', 'begin with "database: ..."');
    }
    this.root = this.#override(isMapping(root) ? root : {});
  }

  /** undefined where nothing is written. */
  at(path: ConfigPath): ConfigValue | undefined {
    let value: ConfigValue | undefined = this.root;
    for (const step of path) {
      if (value === null || value === undefined || typeof value === 'string') return undefined;
      value = (value as ConfigMapping)[step];
    }
    return value;
  }

  /** The names in the mapping at `path`, in file order; none where there is no mapping. */
  names(path: ConfigPath): readonly string[] {
    const value = this.at(path);
    return isMapping(value) ? Object.keys(value) : [];
  }

  /** Adds a mistake at the value at `path`, or at the nearest thing around it that is written. */
  report(path: ConfigPath, message: string, remedy: string): void {
    const key = JSON.stringify(path);
    if (this.#incomplete.has(key)) return;
    const variable = this.#variables.get(key);
    const place = variable === undefined ? this.#nearest(this.#valuePlaces, path) : start;
    const source = variable === undefined ? '' : ` (set by the environment variable ${variable})`;
    this.mistakes.push({ ...place, message: message + source, remedy });
  }

  /** Like report, at the option's name. */
  reportName(path: ConfigPath, message: string, remedy: string): void {
    this.mistakes.push({ ...this.#nearest(this.#keyPlaces, path), message, remedy });
  }

  lineOf(path: ConfigPath): number {
    return this.#nearest(this.#valuePlaces, path).line;
  }

  #nearest(places: ReadonlyMap<string, Place>, path: ConfigPath): Place {
    for (let length = path.length; length >= 0; length--) {
      const key = JSON.stringify(path.slice(0, length));
      const place = length === path.length ? places.get(key) : this.#keyPlaces.get(key);
      const found = place ?? this.#valuePlaces.get(key);
      if (found !== undefined) return found;
    }
    return start;
  }

  #override(written: ConfigMapping): ConfigMapping {
    const root: { [option: string]: ConfigValue } = { ...written };
    for (const { path, variable, text } of activeOverrides(this.#environment)) {
      const [section = '', option] = path;
      const inside = root[section];
      if (option === undefined) root[section] = text;
      else root[section] = { ...(isMapping(inside) ? inside : {}), [option]: text };
      this.#variables.set(JSON.stringify(path), variable);
    }
    return root;
  }

  #place(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  #read(node: Node, path: ConfigPath): ConfigValue {
    this.#valuePlaces.set(JSON.stringify(path), this.#place(node.range?.[0] ?? 0));
    if (isMap<Node, Node | null>(node)) {
      return Object.fromEntries(node.items.map((pair) => this.#readPair(pair, path)));
    }
    if (isSeq<Node>(node))
      return node.items.map((item, index) => this.#read(item, [...path, index]));
    if (isScalar(node)) return this.#readScalar(node, path);
    this.report(path, 'YAML aliases are not understood', 'write the value out');
    return null;
  }

  #readPair(pair: Pair<Node, Node | null>, path: ConfigPath): [string, ConfigValue] {
    const name = isScalar(pair.key) ? String(pair.key.value) : '';
    const at = [...path, name];
    this.#keyPlaces.set(JSON.stringify(at), this.#place(pair.key.range?.[0] ?? 0));
    return [name, pair.value === null ? null : this.#read(pair.value, at)];
  }

  #readScalar(node: Scalar, path: ConfigPath): string | null {
    const text = String(node.value ?? '');
    const isPlain = node.type === undefined || node.type === Scalar.PLAIN;
    if (isPlain && nulls.includes(text)) return null;
    const names = [...text.matchAll(variablePattern)].map(([, name = '']) => name);
    const unset = names.filter((name) => this.#environment[name] === undefined);
    for (const name of unset) {
      const remedy = `set ${name} before starting, or write the value here`;
      this.report(path, `the environment variable ${name} is not set`, remedy);
    }
    if (unset.length > 0) this.#incomplete.add(JSON.stringify(path));
    return text.replace(variablePattern, (_, name: string) => this.#environment[name] ?? '');
  }
}

function isMapping(value: ConfigValue | undefined): value is ConfigMapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
