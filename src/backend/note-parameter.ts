import { decodeParameterStatus } from '../protocol/parameter-status.ts';

/** Takes the ParameterStatus at `chunk[start, end)` over into `parameters`. */
export function noteParameter(
  parameters: Map<string, string>,
  chunk: Buffer,
  start: number,
  end: number,
): void {
  const { name, value } = decodeParameterStatus(chunk, start, end);
  parameters.set(name, value);
}
