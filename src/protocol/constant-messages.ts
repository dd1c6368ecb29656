import { BackendCode, FrontendCode } from './message-code.ts';

// Messages without a body, built once and shared: never written to.
export const parseComplete = bodyless(BackendCode.parseComplete);
export const bindComplete = bodyless(BackendCode.bindComplete);
export const closeComplete = bodyless(BackendCode.closeComplete);
export const noData = bodyless(BackendCode.noData);
export const portalSuspended = bodyless(BackendCode.portalSuspended);
export const emptyQueryResponse = bodyless(BackendCode.emptyQueryResponse);
export const copyDone = bodyless(BackendCode.copyDone); // the same in both directions
export const syncMessage = bodyless(FrontendCode.sync);
export const flushMessage = bodyless(FrontendCode.flush);
export const terminateMessage = bodyless(FrontendCode.terminate);

function bodyless(code: number): Buffer {
  return Buffer.from([code, 0, 0, 0, 4]);
}
