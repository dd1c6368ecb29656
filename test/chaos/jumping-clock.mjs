// Loaded into a program before its own code: on SIGUSR2 its time of day is an hour ahead, on the next
// one an hour behind, then right again.
const hour = 3_600_000;
const rightNow = Date.now;
const shifts = [hour, -hour, 0];
let shift = 0;
Date.now = () => rightNow() + shift;
process.on('SIGUSR2', () => {
  shift = shifts.shift() ?? 0;
  shifts.push(shift);
});
