import { describe, expect, it } from 'vitest';
import {
  encodeProcessId,
  sessionNumbersMax,
  workerIndexOf,
  workersMax,
} from '../../../src/frontend/cancel-key.ts';

describe('the process ID of a cancel key', () => {
  it('brings back the worker, at both ends of both ranges', () => {
    for (const workerIndex of [0, 1, 7, workersMax - 1]) {
      for (const sessionNumber of [1, 2, sessionNumbersMax - 1]) {
        const processId = encodeProcessId({ workerIndex, sessionNumber });
        expect(workerIndexOf(processId)).toBe(workerIndex);
        expect(processId).toBeGreaterThan(0);
        expect(processId | 0).toBe(processId);
      }
    }
  });

  it('differs for each session', () => {
    const ids = new Set<number>();
    for (let workerIndex = 0; workerIndex < 4; workerIndex++) {
      for (let sessionNumber = 1; sessionNumber < 500; sessionNumber++) {
        ids.add(encodeProcessId({ workerIndex, sessionNumber }));
      }
    }
    expect(ids.size).toBe(4 * 499);
  });

  it('names some worker for every 32-bit integer that a stranger sends', () => {
    expect(workerIndexOf(0)).toBe(0);
    expect(workerIndexOf(-1)).toBe(4095);
    expect(workerIndexOf(-(2 ** 31))).toBe(2048);
    expect(workerIndexOf(2 ** 31 - 1)).toBe(2047);
  });

  it('does not exist past the ranges', () => {
    const encode = (workerIndex: number, sessionNumber: number) => () =>
      encodeProcessId({ workerIndex, sessionNumber });
    expect(encode(workersMax, 1)).toThrow('worker index');
    expect(encode(-1, 1)).toThrow('worker index');
    expect(encode(0, 0)).toThrow('session number');
    expect(encode(0, sessionNumbersMax)).toThrow('session number');
  });
});
