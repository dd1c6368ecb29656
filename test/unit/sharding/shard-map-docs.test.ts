import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { where } from '../../../src/cli/where.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { mapText } from '../../../src/sharding/map-text.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/shard-map.md'), 'utf8');
const rest = 'database: app\nauthentication: trust\ncontrol: { user: p }\n';
const text = rest + blockAfter('```yaml');
const options = { path: 'pgweave.yaml', environment: {} };

describe('the page about the shard map', () => {
  it('shows the map that its configuration makes', () => {
    const loaded = loadConfig(text, options);
    if (loaded.kind === 'rejected') throw new Error(JSON.stringify(loaded.mistakes));
    expect(blockAfter('prints the one that a file describes:\n\n```')).toBe(
      mapText(loaded.config.shardMap),
    );
  });

  it('shows the expression that where prints', () => {
    const printed = where(text, options, { table: 'reservation', key: null }).text;
    expect(blockAfter('```sql').replace(/\s+/g, ' ').trim()).toBe(printed.trim());
  });

  it('shows the answer that where gives', () => {
    const { text: answer } = where(text, options, { table: 'reservation', key: 'Kim' });
    expect(page).toContain(answer.replace(/^/gm, '    ').trimEnd());
  });
});

/** The text of the first fenced block that begins with `opening`. */
function blockAfter(opening: string): string {
  const start = page.indexOf('\n', page.indexOf(opening) + opening.length) + 1;
  return page.slice(start, page.indexOf('```', start));
}
