/**
 * Calls `step` with 0, 1, 2 ... as long as it says that it goes on, each time when the step before has
 * been done. A step that is done before it returns costs no stack: there may be any number of them.
 */
export function oneByOne(step: (index: number, next: () => void) => void): void {
  let wanted = 0;
  let isStepping = false;
  const next = () => {
    wanted += 1;
    if (isStepping) return;
    isStepping = true;
    for (let index = wanted - 1; index < wanted; index += 1) step(index, next);
    isStepping = false;
  };
  next();
}
