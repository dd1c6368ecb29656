/**
 * Resolves at the first SIGINT or SIGTERM, or when `signal` is aborted. While it waits, SIGHUP
 * calls `hangUp`. A second SIGINT or SIGTERM ends the process at once.
 */
export function untilSignal(hangUp: () => void): {
  readonly asked: Promise<void>;
  readonly abort: AbortSignal;
} {
  const controller = new AbortController();
  const asked = new Promise<void>((resolve) => {
    const stop = () => {
      if (controller.signal.aborted) process.exit(1);
      controller.abort();
      resolve();
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
  });
  process.on('SIGHUP', hangUp);
  return { asked, abort: controller.signal };
}
