import { systemClock } from '../../src/base/clock.ts';
import { runWorkerProcess } from '../../src/supervisor/run-worker-process.ts';
import { startGreetingWorker } from './greeting-worker.ts';

runWorkerProcess(startGreetingWorker, { clock: systemClock });
