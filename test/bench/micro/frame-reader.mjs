// What splitting a stream of rows costs: `npm run build && node test/bench/micro/frame-reader.mjs`.
// On 2 cores of the machine this was written on: 13 to 27 ns per frame of 24 bytes.
import { FrameReader } from '../../../dist/protocol/frame-reader.js';

const rowBytes = 24;
const row = Buffer.alloc(rowBytes);
row[0] = 0x44;
row.writeInt32BE(rowBytes - 1, 1);
const chunk = Buffer.concat(Array.from({ length: 65_536 / rowBytes }, () => row));

const reader = new FrameReader({ frameBytesMax: 1_000_000 });
for (let round = 1; round <= 5; round++) {
  let frames = 0;
  const start = process.hrtime.bigint();
  for (let pushes = 0; pushes < 3000; pushes++) {
    reader.push(chunk);
    while (reader.next()) frames += 1;
  }
  const nanoseconds = Number(process.hrtime.bigint() - start);
  process.stdout.write(`round ${round}: ${(nanoseconds / frames).toFixed(1)} ns per frame\n`);
}
