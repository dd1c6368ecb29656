import { BackendCode } from '../protocol/message-code.ts';

/** Indexed by message code: 1 for what may be part of an answer, besides ReadyForQuery. */
export const answerCodes = new Uint8Array(256);

for (const code of [
  BackendCode.bindComplete,
  BackendCode.closeComplete,
  BackendCode.commandComplete,
  BackendCode.copyBothResponse,
  BackendCode.copyData,
  BackendCode.copyDone,
  BackendCode.copyInResponse,
  BackendCode.copyOutResponse,
  BackendCode.dataRow,
  BackendCode.emptyQueryResponse,
  BackendCode.errorResponse,
  BackendCode.functionCallResponse,
  BackendCode.noData,
  BackendCode.noticeResponse,
  BackendCode.parameterDescription,
  BackendCode.parameterStatus,
  BackendCode.parseComplete,
  BackendCode.portalSuspended,
  BackendCode.rowDescription,
]) {
  answerCodes[code] = 1;
}
