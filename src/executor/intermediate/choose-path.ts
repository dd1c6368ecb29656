import type { PgError } from '../../base/pg-error.ts';
import type { MultiShardTarget } from '../target.ts';
import { estimatePaths } from './estimate-paths.ts';
import { Gathering, type GatherRequest } from './gathering.ts';
import type { LearnedStatement } from './learned-statements.ts';
import { cheapestPath, type PathChoices } from './path-choices.ts';

export type ChoiceRequest = GatherRequest &
  Pick<MultiShardTarget, 'shards' | 'runsAnywhere' | 'combines' | 'choice'> & {
    readonly choices: PathChoices;
  };

export type ChoiceEvents<Request> = {
  /** The request for the path that is taken; also in the call of choosePath. */
  chosen(request: Request): void;
  /** Instead of it; the connections are as after a cursor that failed. */
  failed(error: PgError | { readonly frame: Buffer }): void;
};

/**
 * Settles which path a plan with several takes, which is asked for once per plan: first what types the
 * client's parameters have, then how much each path would collect. Returns what gives it up: no
 * event follows.
 */
export function choosePath<Request extends ChoiceRequest>(
  request: Request,
  events: ChoiceEvents<Request>,
): () => void {
  const { choice, choices } = request;
  if (choice === null || choice.kind === 'made') {
    events.chosen(request);
    return () => {};
  }
  const take = (path: number) => {
    events.chosen({ ...request, ...choice.paths[path], choice: null });
  };
  // Another execution may have asked since this one was bound.
  const made = choices.find(choice.plan);
  if (made !== null) {
    take(made.path);
    return () => {};
  }
  let isOver = false;
  const failed: ChoiceEvents<Request>['failed'] = (error) => {
    if (isOver) return;
    isOver = true;
    events.failed(error);
  };
  const estimate = (statement: LearnedStatement) => {
    const { parameterOids } = statement;
    stop = estimatePaths({ ...request, paths: choice.paths, parameterOids }, (outcome) => {
      if (isOver) return;
      if (outcome.kind === 'failed') {
        failed(outcome.error);
        return;
      }
      isOver = true;
      const cheapest = cheapestPath(outcome.estimates);
      choices.keep(choice.plan, cheapest);
      take(cheapest.path);
    });
  };
  const learning = new Gathering(request, { gathered() {}, failed, notice() {} });
  let stop = () => learning.close();
  learning.learn(estimate);
  return () => {
    if (isOver) return;
    isOver = true;
    stop();
  };
}
