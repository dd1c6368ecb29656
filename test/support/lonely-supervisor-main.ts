import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/base/clock.ts';
import { forkedWorkers } from '../../src/supervisor/forked-worker.ts';
import { SupervisorFixture } from './supervisor-fixture.ts';

// A supervisor as a process of its own, for a test that kills it. Prints its client port.
const entry = fileURLToPath(new URL('./greeting-worker-main.js', import.meta.url));
const fixture = new SupervisorFixture(forkedWorkers(entry, { clock: systemClock }), { workers: 2 });
await fixture.supervisor.start();
process.stdout.write(`${fixture.port}\n`);
