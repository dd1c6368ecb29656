import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';

const memoryDirectory = '/dev/shm';
const roomFactor = 4;

/**
 * Where a temporary lab that may grow to `bytesMax` belongs, best first: TMPDIR if somebody set it;
 * memory, where there is four times the room; the system's temporary directories. Memory because
 * the thousands of files of a lab that come and go slow the next one down on a disk: ext4 searches
 * past every inode freed in the last minutes (4 s became 17 s for the demo started again).
 */
export async function temporaryParents(bytesMax: number): Promise<readonly string[]> {
  const onDisk = [tmpdir(), '/tmp', '/var/tmp'];
  if (process.env['TMPDIR'] !== undefined) return onDisk;
  const roomy = (await freeMemoryBytes()) >= roomFactor * bytesMax;
  return roomy ? [memoryDirectory, ...onDisk] : onDisk;
}

/** What the file system in memory may still take, and the process's own limit allows. */
async function freeMemoryBytes(): Promise<number> {
  const memory = await statfs(memoryDirectory).catch(() => null);
  if (memory === null) return 0;
  return Math.min(memory.bavail * memory.bsize, process.availableMemory());
}
