import { BackendCode } from './message-code.ts';
import { MessageWriter } from './message-writer.ts';

/** Answers a startup packet that asks for more than we speak; the session goes on with `minor`. */
export type ProtocolNegotiation = {
  /** The minor version of protocol 3 that will be spoken. */
  readonly minor: number;
  /** The `_pq_.` options that were not understood. */
  readonly unknownOptions: readonly string[];
};

export function encodeNegotiateProtocolVersion(negotiation: ProtocolNegotiation): Buffer {
  const writer = new MessageWriter();
  // The manual speaks of the minor version; servers and libpq put the major one into the upper half.
  writer.begin(BackendCode.negotiateProtocolVersion).int32((3 << 16) | negotiation.minor);
  writer.int32(negotiation.unknownOptions.length);
  for (const option of negotiation.unknownOptions) writer.cString(option);
  return writer.end().take();
}
