import { FrontendCode } from './message-code.ts';
import { MessageCursor } from './message-cursor.ts';
import { MessageWriter } from './message-writer.ts';

export type ExecuteMessage = {
  readonly portal: string;
  /** 0 (or less, as PostgreSQL reads it): all rows. */
  readonly rowsMax: number;
};

/** Throws PgError 08P01, 22021. */
export function decodeExecute(bytes: Buffer, start: number, end: number): ExecuteMessage {
  const cursor = MessageCursor.overFrame(bytes, start, end);
  const portal = cursor.string();
  const rowsMax = cursor.int32();
  cursor.finish();
  return { portal, rowsMax: Math.max(0, rowsMax) };
}

/** The usual ones are the same buffer each time: it must not be written to. */
export function encodeExecute(message: ExecuteMessage): Buffer {
  return message.portal === '' && message.rowsMax === 0 ? executeUnnamed : encode(message);
}

function encode(message: ExecuteMessage): Buffer {
  const writer = new MessageWriter(message.portal.length + 10);
  return writer
    .begin(FrontendCode.execute)
    .cString(message.portal)
    .int32(message.rowsMax)
    .end()
    .take();
}

const executeUnnamed = encode({ portal: '', rowsMax: 0 });
