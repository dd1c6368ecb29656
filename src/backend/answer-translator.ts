import { BackendCode } from '../protocol/message-code.ts';
import {
  type TypeTranslation,
  translateDataRow,
  translateParameterDescription,
  translateRowDescription,
} from '../protocol/type-translation.ts';
import type { Exchange } from './exchange.ts';

/** Makes a server's answers speak of types as the home shard does, in place. */
export class AnswerTranslator {
  readonly #types: () => TypeTranslation | null;
  /** For the exchange at the head. */
  #current: TypeTranslation | null = null;
  #head: Exchange | null = null;
  /** Of the last description in an exchange: see translateRowDescription. */
  #inner: WeakMap<Exchange, readonly number[]> | null = null;

  constructor(types: () => TypeTranslation | null) {
    this.#types = types;
  }

  /** An exchange has come to the head. False: its rows must come whole. */
  begin(head: Exchange): boolean {
    this.#current = this.#types();
    this.#head = head;
    return this.#current === null;
  }

  translate(code: number, chunk: Buffer, start: number, end: number): void {
    const types = this.#current;
    const head = this.#head;
    if (types === null || head === null) return;
    switch (code) {
      case BackendCode.dataRow: {
        const inner = this.#inner?.get(head);
        if (inner !== undefined) translateDataRow(types, inner, { bytes: chunk, start, end });
        return;
      }
      case BackendCode.rowDescription: {
        const inner = translateRowDescription(types, chunk, start, end);
        this.#inner ??= new WeakMap();
        if (inner.some((oid) => oid !== 0)) this.#inner.set(head, inner);
        else this.#inner.delete(head);
        return;
      }
      case BackendCode.parameterDescription:
        translateParameterDescription(types, chunk, start, end);
        return;
      default:
        return;
    }
  }
}
