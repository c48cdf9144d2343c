/**
 * The end of the present turn of the event loop, told to all who wait for it by one immediate: one each
 * would cost a request over TLS a twentieth of its time. What follows from it has an immediate of its own, behind that one.
 */

/** Told that the turn is over. */
export interface TurnListener {
  turnEnded(): void;
}

/** Those who wait for one of the two. */
interface Bell {
  waiting: TurnListener[];
  /** An immediate will tell them. */
  isSet: boolean;
}

const end: Bell = { waiting: [], isSet: false };
const afterEnd: Bell = { waiting: [], isSet: false };

/** Calls `turnEnded` once, after all that was read in this turn. */
export function atEndOfTurn(listener: TurnListener): void {
  end.waiting.push(listener);
  set(end);
  set(afterEnd);
}

/** Calls `turnEnded` once, after all who wait for the end of this turn were told, and what that started has run. */
export function afterEndOfTurn(listener: TurnListener): void {
  afterEnd.waiting.push(listener);
  // Always in this order: who is told at the end may begin to wait for what is behind it.
  if (!afterEnd.isSet) set(end);
  set(afterEnd);
}

function set(bell: Bell): void {
  if (bell.isSet) return;
  bell.isSet = true;
  setImmediate(ring, bell);
}

function ring(bell: Bell): void {
  const listeners = bell.waiting;
  bell.waiting = [];
  bell.isSet = false;
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
