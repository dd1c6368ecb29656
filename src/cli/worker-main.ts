import { systemClock } from '../base/clock.ts';
import { runWorkerProcess } from '../supervisor/run-worker-process.ts';
import { workerStarter } from './worker.ts';

runWorkerProcess(workerStarter(systemClock), { clock: systemClock });
