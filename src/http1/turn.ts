/**
 * The end of the present turn of the event loop, told to all who wait for it by one immediate: one each
 * would cost a request over TLS a twentieth of its time.
 */

/** Told that the turn is over. */
export interface TurnListener {
  turnEnded(): void;
}

let waiting: TurnListener[] = [];

/** Calls `turnEnded` once, after all that was read in this turn. */
export function atEndOfTurn(listener: TurnListener): void {
  if (waiting.push(listener) === 1) setImmediate(tell);
}

function tell(): void {
  const listeners = waiting;
  waiting = [];
  tellAll(listeners);
}

/** Calls `turnEnded` of all, now. If one throws, those after it are told at the end of the turn. */
export function tellAll(listeners: readonly TurnListener[]): void {
  let told = 0;
  try {
    for (; told < listeners.length; ) listeners[told++]?.turnEnded();
  } finally {
    // A program's code may throw in it: the others are told all the same.
    for (; told < listeners.length; ) atEndOfTurn(listeners[told++] as TurnListener);
  }
}
